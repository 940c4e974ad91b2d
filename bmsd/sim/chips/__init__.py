"""Front-end chips simulated at register level."""
