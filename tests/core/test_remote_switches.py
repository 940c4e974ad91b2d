"""Remote switches: off always, on only what was switched off remotely (S14)."""

from __future__ import annotations

import pytest

from bmsd.core.state import Consent
from bmsd.core.types import Inhibit, InhibitCause, Request
from bmsd.tables.alarms import Block
from bmsd.tables.remote import SWITCHES
from tests.support.bench_inputs import Pack


def remote(name: str, on: bool) -> Request:
    return Request("remote", name, on, "modbus unit 1")


def local(name: str, on: bool) -> Request:
    return Request("switch", name, on, "uid 0")


def asked(pack: Pack, *requests: Request) -> Pack:
    pack.cycle(*requests)
    pack.run(3000)
    return pack


@pytest.fixture
def pack():
    return Pack().started()


@pytest.mark.parametrize("name", ["charge", "discharge"])
def test_off_from_afar_opens_and_on_gives_it_back(pack, name) -> None:
    """S14."""
    asked(pack, remote(name, False))
    assert not getattr(pack.out.commands, name)
    assert Inhibit(InhibitCause.OPERATOR, name) in getattr(pack.out, f"{name}_inhibits")
    pack.cycle(remote(name, True))
    pack.run(30_000)
    assert getattr(pack.out.commands, name)


@pytest.mark.parametrize("name", SWITCHES)
def test_on_from_afar_does_not_lift_what_was_forbidden_here(pack, name) -> None:
    """S14."""
    asked(pack, local(name, False), remote(name, False))
    asked(pack, remote(name, True))
    assert not pack.state.consent.gives(SWITCHES[name])
    asked(pack, remote(name, True))
    assert not pack.state.consent.gives(SWITCHES[name])


@pytest.mark.parametrize("name", SWITCHES)
def test_a_yes_here_ends_what_was_switched_off_from_afar(pack, name) -> None:
    asked(pack, remote(name, False))
    assert not pack.state.consent.gives(SWITCHES[name])
    asked(pack, local(name, True))
    assert pack.state.consent == Consent()


def test_a_no_here_leaves_what_was_switched_off_from_afar(pack) -> None:
    asked(pack, remote("charge", False), local("charge", False))
    assert pack.state.consent == Consent(charge=False, remote_off=Block.CHARGE)


def test_on_from_afar_is_no_word_of_an_operator_after_a_factory_reset(pack) -> None:
    """S13, S14: what waits to be asked for at the pack goes on waiting."""
    asked(pack, Request("factory", "", None, "uid 0"))
    pack.cycle(remote("charge", True))
    pack.run(30_000)
    assert pack.state.asked_for == Block.NONE
    assert not pack.out.commands.charge


def test_each_switch_is_its_own(pack) -> None:
    asked(pack, remote("charge", False), remote("balance", False), remote("charge", True))
    assert pack.state.consent.remote_off == Block.BALANCE
    assert pack.out.commands.charge
    assert pack.out.commands.discharge


def test_it_is_recorded_with_who_asked(pack) -> None:
    pack.cycle(remote("discharge", False))
    (event,) = [event for event in pack.out.events if event.kind == "request"]
    assert (event.name, event.state, event.who) == ("discharge", "off", "modbus unit 1")
