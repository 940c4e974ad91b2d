"""bmsctl: what an operator sees and asks."""
