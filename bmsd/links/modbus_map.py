"""bmsd's own register map: words for a range of addresses, from one snapshot per request.

Old or missing data: the status block still answers and says so, every other block gives exception 04 (S7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bmsd import __version__
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.ipc.snapshot import Snapshot
from bmsd.links.modbus_pack import MappedPack, ReadOnly
from bmsd.links.modbus_rtu import READS, WRITE_REGISTER, WRITE_REGISTERS, Refusal, RefusedError
from bmsd.tables import alarms, registers, remote
from bmsd.tables.registers import RegisterBlock


class OwnMap(ReadOnly):
    """The registers of one pack."""

    def __init__(self, pack: MappedPack, unit: int) -> None:
        if pack.writes is not None:
            self.functions = (*READS, WRITE_REGISTER, WRITE_REGISTERS)
        self._pack, self._unit = pack, unit
        self._about = {
            "layout_version": registers.LAYOUT_VERSION,
            "cells": pack.config.cells,
            "battery_sensors": pack.config.battery_sensors,
            "version": _version(__version__),
        }
        self._laid_out: tuple[Snapshot, dict[str, list[int]]] | None = None

    def read(self, address: int, count: int) -> list[int]:
        """Give registers; RefusedError: no such address, or nothing present to tell."""
        if registers.is_parameters(address, count):
            return self._parameters()[address - registers.PARAMETERS_AT :][:count]
        block = registers.block_of(address, count)
        if block is None:
            raise RefusedError(Refusal.ADDRESS)
        found = self._status(block) if block.always else self._present(block)
        start = address - block.start
        return found[start : start + count]

    def write(self, address: int, words: Sequence[int]) -> bytes:
        """Carry out a write; RefusedError: it was not."""
        if self._pack.writes is None or address >= registers.END:
            raise RefusedError(Refusal.ADDRESS)  # perhaps another map has it
        who = f"unit {self._unit} {self._pack.source}".strip()
        self._pack.writes.carry_out(who, address, words)
        return b""

    def _parameters(self) -> list[int]:
        self._pack.present()
        return registers.parameter_words(self._pack.parameters())

    def _status(self, block: RegisterBlock) -> list[int]:
        snapshot = self._pack.snapshots.last()
        now_ms = monotonic_ms()  # after the snapshot: its age is never negative
        values: dict[str, Any] = {**self._about, "requests": self._pack.requests, "lock": 0}
        if self._pack.writes is not None:
            values |= self._pack.writes.registers(now_ms)
        if snapshot is None:
            values["core_state"] = registers.CORE_ABSENT
        else:
            fresh = snapshot.is_fresh(now_ms)
            values["core_state"] = registers.CORE_FRESH if fresh else registers.CORE_OLD
            values["age_ms"] = snapshot.age_ms(now_ms)
            values["counter"] = _counter(snapshot)
            values["simulated"] = snapshot.document.get("simulated")
        return registers.words(block, values)

    def _present(self, block: RegisterBlock) -> list[int]:
        snapshot = self._pack.present()
        if self._laid_out is None or self._laid_out[0] is not snapshot:
            self._laid_out = (snapshot, {})
        blocks = self._laid_out[1]
        if block.name not in blocks:
            blocks[block.name] = registers.words(block, _values(snapshot))
        return blocks[block.name]


def _values(snapshot: Snapshot) -> dict[str, Any]:
    active = snapshot.document.get("alarms", ())
    return {
        **snapshot.points,
        "counter": _counter(snapshot),
        "balancing_mask": _mask(snapshot.points.get("balancing")),
        "alarm_bits": _bits(active),
        "latched_bits": _bits(alarm for alarm in active if alarm.get("latched")),
        **_from_afar(snapshot.document.get("remote_off")),
    }


def _from_afar(off: Collection[str] | None) -> dict[str, bool | None]:
    return {f"remote_{name}": None if off is None else name not in off for name in remote.SWITCHES}


def _counter(snapshot: Snapshot) -> int | None:
    """Cut the cycle number to what one register holds beside its unknown value."""
    sequence = snapshot.points.get("sequence")
    return None if sequence is None else sequence % 0xFFFF


def _mask(flags: list[bool | None] | None) -> int | None:
    if flags is None or any(flag is None for flag in flags):
        return None
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _bits(active: Iterable[Mapping[str, Any]]) -> list[int]:
    out = [0] * registers.ALARM_WORDS
    for alarm in active:
        if row := alarms.BY_NAME.get(alarm["name"]):
            out[row.code // 16] |= 1 << row.code % 16
    return out


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")[:3] if part.isdigit()]
