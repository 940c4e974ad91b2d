"""Snapshots as a core would leave them, from a body as `bmsctl` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bmsd.ipc.shared_files import SNAPSHOT, boot_id
from bmsd.ipc.snapshot_page import SnapshotPublisher


def publish_snapshot(folder: Path, body: Mapping[str, Any], at_ms: int) -> bool:
    """Write one snapshot in the place of whatever is there; tell whether it worked."""
    publisher = SnapshotPublisher(folder / SNAPSHOT, boot_id())
    words = {name: value for name, value in body.items() if name != "points"}
    done = publisher.publish(body["points"], words, at_ms)
    publisher.close()
    return done
