"""One cycle from the chip's registers to the output edge; daemon and bench both run it."""
