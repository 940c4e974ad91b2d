"""Anything may arrive: it never raises, never changes what is told, and never delays it by more than a bound."""

from __future__ import annotations

import random

import can
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmsd.inverters.protocols import PROTOCOLS
from bmsd.links.adapters import MOST_BAD, BusLostError
from bmsd.links.can import MOST_RECEIVED
from tests.links.can_bench import Bench

UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
KNOWN = sorted({row.frame.id for protocol in PROTOCOLS.values() for row in protocol.heard} | {0x351, 0x4200})


def message(number: int, data: bytes, kind: str) -> can.Message:
    return can.Message(
        arbitration_id=number,
        data=b"" if kind == "remote" else data[: 64 if kind == "fd" else 8],
        is_extended_id=number > 0x7FF or kind == "extended",
        is_remote_frame=kind == "remote",
        is_error_frame=kind == "error",
        is_fd=kind == "fd",
    )


KINDS = ("data", "data", "extended", "remote", "error", "fd")
MESSAGES = st.builds(
    message,
    st.one_of(st.sampled_from(KNOWN), st.integers(0, 0x7FF), st.integers(0, (1 << 29) - 1)),
    st.binary(max_size=64),
    st.sampled_from(KINDS),
)
NOISE = st.sampled_from([ValueError("zz"), IndexError()])


def sent(bench: Bench, arriving: list) -> list[tuple[int, bytes]]:
    """Run five cycles with permissions that change, frames arriving in each; give everything that was sent."""
    found = []
    for allowed in (True, True, False, None, True):
        bench.publish(charge_allowed=allowed, pack_mv=None if allowed is None else 53_200)
        bench.bus.inbox = list(arriving)
        bench.cycle()
        found += [(m.arbitration_id, bytes(m.data)) for m in bench.bus.sent]
        bench.now_ms += 1000
    return found


@pytest.mark.fault_class(10, "alone")
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=15, deadline=None, suppress_health_check=UNHURRIED)
@given(arriving=st.lists(MESSAGES, max_size=40))
def test_nothing_heard_changes_a_byte_of_what_is_told(tmp_path, protocol, arriving) -> None:
    """S14: an inverter can neither widen a permission nor narrow one. S9: nothing raises."""
    with pytest.MonkeyPatch.context() as patch:
        quiet = sent(Bench(tmp_path, patch, protocol=protocol), [])
        noisy = sent(Bench(tmp_path, patch, protocol=protocol), arriving)
    assert quiet == noisy
    assert quiet


@settings(max_examples=30, deadline=None, suppress_health_check=UNHURRIED)
@given(arriving=st.lists(MESSAGES, max_size=60))
def test_listening_raises_nothing_and_sends_only_what_a_known_protocol_sends(tmp_path, arriving) -> None:
    ours = {frame.id for protocol in PROTOCOLS.values() for frame in protocol.frames}
    with pytest.MonkeyPatch.context() as patch:
        told = sent(Bench(tmp_path, patch, protocol="auto"), arriving)
    assert {number for number, _ in told} <= ours


@settings(max_examples=20, deadline=None, suppress_health_check=UNHURRIED)
@given(
    frames=st.lists(MESSAGES, max_size=30), noise=st.lists(st.tuples(NOISE, st.integers(0, 30)), max_size=5)
)
def test_noise_between_frames_is_a_lost_bus_at_most(tmp_path, frames, noise) -> None:
    arriving: list = list(frames)
    for error, place in noise:
        arriving.insert(place, error)
    lost = False
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(tmp_path, patch)
        bench.publish()
        bench.bus.inbox = arriving
        try:
            bench.cycle()
        except BusLostError:
            lost = True
    assert lost == (len(noise) >= MOST_BAD)
    assert bench.inverter.counters.sent == 6


def test_a_flood_delays_a_set_by_a_bounded_number_of_frames(tmp_path, monkeypatch) -> None:
    """S9: counted in frames, not in time. goodwe has a set due in every cycle."""
    bench = Bench(tmp_path, monkeypatch, protocol="goodwe")
    chance = random.Random(7)
    flood = [message(chance.randrange(0x800), chance.randbytes(8), "data") for _ in range(10_000)]
    taken: list[int] = []
    bench.bus.inbox = flood
    while bench.bus.inbox:
        bench.publish()
        before = len(bench.bus.inbox)
        assert 0x351 in bench.cycle(100), "a set that was due was not sent"
        taken.append(before - len(bench.bus.inbox))
    assert max(taken) == MOST_RECEIVED
    assert len(taken) == 10_000 / MOST_RECEIVED
