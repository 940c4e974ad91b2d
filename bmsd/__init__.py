"""bmsd: a Raspberry Pi as the controller of a lithium battery pack."""

__version__ = "0.1.0"
