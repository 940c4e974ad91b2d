"""Charges that an operator may order, and how long each lasts at most."""

from __future__ import annotations

KIND = "charge"
"""The kind of the requests for them."""
FORCE, FULL = "force", "full"
LASTS_MS = {FORCE: 12 * 3_600_000, FULL: 24 * 3_600_000}
"""Within a night; and within a day that has some sun."""
