"""Everything off, whatever happened to the core (S5): the guard beside it, and safe-off after it."""
