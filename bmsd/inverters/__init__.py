"""Inverter CAN protocols: one file per protocol, tables of frames and signals over named points."""
