"""The bench: cells, heat, chips at register level, and their faults, in real or virtual time."""
