"""Frames of batteries and converters in service, decoded to what their owners say and made again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bmsd.inverters.frames import Frame, decode, encode
from bmsd.inverters.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "tests" / "recordings" / "can"
SHARED = Path(os.environ.get("BMSD_SHARED", ROOT.parent / "shared")) / "data" / "can"
here_only = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no recordings in {SHARED}: NOT checked")

IN_REPOSITORY = {
    ("byd-lvs-venus", "byd"): 16,
    ("byd-lvs-venus", "victron"): 16,
    ("pytes-v5-readme", "victron"): 12,
}
OUTSIDE = {
    ("pylontech-us3000-x10", "pylontech"): 5,
    ("pylontech-us5000-fw-v13", "pylontech13"): 6,
    ("jk-to-pylon-deye", "deye"): 18,
    ("jk-esphome-goodwe", "pylontech"): 5,
    ("jk-can-v1-vendor", "jk-v1"): 4,
    ("sma-converter-tx", "sma"): 1,
    # Of these two makers' own frames those that are laid out like others. Their voltage is in steps of 0.1 V, against
    # 0.01 V in the rest of the family; Sofar's have 29-bit identifiers.
    ("sofar-bms-status", "solark"): 3,
    ("discover-aes-lynk2-a", "solark"): 4,
}
"""Capture and protocol, and how many of its frames are that protocol's."""
NOT_MADE_AGAIN = {
    # Reserved pairs: BYD calls them fine, we say nothing of them on a GX.
    ("byd-lvs-venus", "victron", "35A"),
    # The last bytes, remaining charge and cycles, are Sofar's own, and we do not send this set.
    ("sofar-bms-status", "solark", "00000355"),
    ("sofar-bms-status", "solark", "00000356"),
}

THOUSAND = {
    "cvl_v": "charge_limit_mv", "ccl_a": "charge_limit_ma", "dcl_a": "discharge_limit_ma",
    "dvl_v": "discharge_limit_mv", "voltage_v": "pack_mv", "current_a": "current_ma", "installed_ah": "capacity_mah",
}  # fmt: skip
TEN = {
    "soc_pct": "soc_permille", "soh_pct": "soh_permille", "temperature_c": "temperature_decic",
    "max_temp_c": "temperature_max_decic", "min_temp_c": "temperature_min_decic", "avg_temp_c": "temperature_decic",
}  # fmt: skip
SAME = {
    "modules": "modules", "modules_online": "modules", "modules_offline": "modules_offline",
    "modules_blocking_charge": "modules_blocking_charge",
    "modules_blocking_discharge": "modules_blocking_discharge", "hw_version": "hardware_version",
    "min_cell_mv": "cell_min_mv", "max_cell_mv": "cell_max_mv", "min_cell_no": "min_cell", "max_cell_no": "max_cell",
    "max_no": "max_sensor", "min_no": "min_sensor", "min_v_cell_id": "min_cell_name",
    "max_v_cell_id": "max_cell_name", "min_t_id": "min_sensor_name", "max_t_id": "max_sensor_name",
    "charge_enable": "charge_enable", "discharge_enable": "discharge_enable",
    "force_charge_1": "force_charge_bit_5", "force_charge_2": "force_charge_bit_4",
    "full_charge_request": "full_charge_request", "manufacturer": "manufacturer", "product_name": "product_name",
}  # fmt: skip
LISTS = {"raised": True, "ok": False, "unsupported": None}


def read(view: dict, name: str):
    """Give one value of a decoded frame as the recordings name it."""
    if name in THOUSAND:
        return view[THOUSAND[name]] / 1000
    if name in TEN:
        return view[TEN[name]] / 10
    if name in SAME:
        return view[SAME[name]]
    return SPECIAL[name](view)


def flags(view: dict, kind: str, value) -> list[str]:
    """List the pairs that say `value`; the free ones are no conditions."""
    names = [
        n.removeprefix(f"{kind}_") for n, said in view.items() if n.startswith(f"{kind}_") and said is value
    ]
    return [name for name in names if not name.startswith("reserved")]


def set_bits(view: dict, kind: str) -> list[str]:
    return [name for name, on in view.items() if name.startswith(kind) and on is True]


SPECIAL = {
    "min_temp_k": lambda view: view["temperature_min_decic"] / 10 + 273,
    "max_temp_k": lambda view: view["temperature_max_decic"] / 10 + 273,
    "charged_raw": lambda view: view["charged_wh"] / 100,
    "discharged_raw": lambda view: view["discharged_wh"] / 100,
    "capacity_ah": lambda view: (
        (view["remaining_mah"] if "remaining_mah" in view else view["capacity_mah"]) / 1000
    ),
    "firmware_bytes": lambda view: f"{view['firmware_major']:02X} {view['firmware_minor']:02X}",
    "product": lambda view: (
        view["product"] if "product" in view else int.from_bytes(view["chemistry"].encode(), "little")
    ),
    "current_raw": lambda view: 4000 - view["current_ma"] / 100,
    # This document makes discharging positive.
    "current_a_raw_minus_400": lambda view: -view["current_ma"] / 1000,
    "levels": lambda view: {name: level for name, level in view.items() if level},
    "protections": lambda view: set_bits(view, "protection"),
    "warnings": lambda view: set_bits(view, "warning"),
    "trailer": lambda view: view["trailer"].rstrip("\0"),
    **{
        f"{kind}_{word}": lambda view, kind=kind, value=value: flags(view, kind, value)
        for kind in ("alarm", "warning")
        for word, value in LISTS.items()
    },
}


def row_of(protocol: str, frame: dict) -> Frame | None:
    """Find the row of a recorded frame; the offset of 29-bit identifiers is only a battery's number."""
    rows = {row.id: row for row in PROTOCOLS[protocol].frames}
    return rows.get(int(frame["id"], 16)) if "decoded" in frame and frame["from"] == "bms" else None


def check(folder: Path, capture: str, protocol: str) -> int:
    """Check every frame of a capture that the protocol has a row for; give their number."""
    frames = json.loads((folder / f"{capture}.json").read_text())["frames"]
    mine = [(row, frame) for frame in frames if (row := row_of(protocol, frame)) and frame.get("decoded")]
    for row, frame in mine:
        data = bytes.fromhex(frame["data"])
        view = decode(row, data)
        for name, expected in {**frame["decoded"], **(frame.get("stated_by_source") or {})}.items():
            assert read(view, name) == pytest.approx(expected), (frame["id"], name)
        if (capture, protocol, frame["id"]) not in NOT_MADE_AGAIN:
            assert made_again(row, view)[: len(data)] == data[: row.length], frame["id"]
    return len(mine)


def made_again(row: Frame, view: dict) -> bytes:
    """Encode what was decoded; fields beyond the end of a short frame do not matter."""
    beyond = {signal.name: 0 for signal in row.signals if view[signal.name] is None}
    again = encode(row, view | beyond)
    assert again is not None
    return again


@pytest.mark.parametrize(("capture", "protocol"), IN_REPOSITORY)
def test_recorded_frames_decode_and_encode(capture, protocol) -> None:
    assert check(OURS, capture, protocol) == IN_REPOSITORY[capture, protocol]


@pytest.mark.needs_shared
@here_only
@pytest.mark.parametrize(("capture", "protocol"), OUTSIDE)
def test_recorded_frames_from_elsewhere_decode_and_encode(capture, protocol) -> None:
    assert check(SHARED, capture, protocol) == OUTSIDE[capture, protocol]


@pytest.mark.needs_shared
@here_only
def test_the_negative_discharge_limit_of_a_faulty_sender_is_seen_and_never_sent() -> None:
    frames = json.loads((SHARED / "diybms-negative-dcl.json").read_text())["frames"]
    for protocol in ("pylontech", "victron", "sma"):
        row = row_of(protocol, frames[0])
        assert row is not None
        limits = decode(row, bytes.fromhex(frames[0]["data"]))
        assert limits["discharge_limit_ma"] == -10_000
        again = encode(row, limits)
        assert again is not None
        assert again[4:6] == b"\x00\x00"


@pytest.mark.needs_shared
@here_only
@pytest.mark.parametrize("capture", ["pytes-native-a", "pylon-hv-pack"])
def test_foreign_protocols_are_not_taken_for_one_of_ours(capture) -> None:
    """Their identifiers are in no row, so nothing of them is misread."""
    frames = json.loads((SHARED / f"{capture}.json").read_text())["frames"]
    known = {row.id for protocol in PROTOCOLS.values() for row in protocol.frames}
    assert len(frames) >= 3
    assert not known & {int(frame["id"], 16) for frame in frames}


@pytest.mark.needs_shared
@here_only
def test_no_capture_is_left_out() -> None:
    checked = {capture for capture, _ in [*IN_REPOSITORY, *OUTSIDE]}
    foreign = {"diybms-negative-dcl", "pytes-native-a", "pylon-hv-pack"}
    assert {file.stem for file in SHARED.glob("*.json")} == checked | foreign
