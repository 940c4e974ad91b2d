"""Front-end chips: one file per chip, written as generators that yield bus transfers (Sans-IO)."""
