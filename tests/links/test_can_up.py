"""The CAN interface is brought up with the configured bit rate, and only the inverter's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bmsd.links import can_up

ROOT = Path(__file__).resolve().parents[2]


class Kernel:
    """A stand-in for `ip`: answers what it is told, keeps what it was asked."""

    words = "as told"

    def __init__(self, link: dict[str, Any], failing: str = "") -> None:
        self.link, self.failing = link, failing
        self.asked: list[str] = []

    def run(self, command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        words = " ".join(command)
        if "show" in command:
            return subprocess.CompletedProcess(command, 0, json.dumps([self.link]), "")
        self.asked.append(words)
        bad = self.failing and self.failing in words
        return subprocess.CompletedProcess(command, int(bool(bad)), "", f"{self.words}\n" if bad else "")


def real(up: bool, bitrate: int = 0, restart_ms: int = 0) -> dict[str, Any]:
    data = {"bittiming": {"bitrate": bitrate}, "restart_ms": restart_ms}
    return {"flags": ["NOARP", *(["UP"] if up else [])], "linkinfo": {"info_kind": "can", "info_data": data}}


@pytest.fixture
def bring_up(monkeypatch, capsys):
    def call(link: dict[str, Any], interface: str = "can0", failing: str = "", config: Path | None = None):
        kernel = Kernel(link, failing)
        monkeypatch.setattr(can_up.subprocess, "run", kernel.run)
        code = can_up.main([interface, "--config", str(config or ROOT / "etc" / "bmsd.toml")])
        said = capsys.readouterr()
        return code, said.out + said.err, kernel.asked

    return call


def test_an_interface_that_is_down_gets_the_configured_bit_rate(bring_up) -> None:
    code, said, asked = bring_up(real(up=False))
    assert (code, asked) == (
        0,
        ["ip link set dev can0 down", "ip link set dev can0 up type can bitrate 500000 restart-ms 100"],
    )
    assert "500000" in said


def test_one_that_is_right_already_is_not_touched(bring_up) -> None:
    code, _, asked = bring_up(real(up=True, bitrate=500_000, restart_ms=100))
    assert (code, asked) == (0, [])


@pytest.mark.parametrize(("bitrate", "restart_ms"), [(250_000, 100), (500_000, 0)])
def test_one_that_is_up_wrongly_is_set_right(bring_up, bitrate, restart_ms) -> None:
    code, _, asked = bring_up(real(up=True, bitrate=bitrate, restart_ms=restart_ms))
    assert code == 0
    assert len(asked) == 2


@pytest.mark.parametrize(
    "words",
    ["RTNETLINK answers: Operation not supported", "Error: Device doesn't support restart from Bus Off."],
)
def test_a_driver_that_cannot_restart_gets_its_bit_rate_all_the_same(bring_up, monkeypatch, words) -> None:
    """The kernel's driver for serial lines refuses restart-ms, and with it the whole request."""
    monkeypatch.setattr(Kernel, "words", words)
    code, said, asked = bring_up(real(up=False), failing="restart-ms")
    assert code == 0
    assert asked[-1] == "ip link set dev can0 up type can bitrate 500000"
    assert "does not restart it" in said


def test_another_refusal_does_not_cost_the_restart_after_bus_off(bring_up) -> None:
    code, _, asked = bring_up(real(up=False), failing="restart-ms")
    assert code == 1
    assert len(asked) == 2


def test_a_virtual_one_is_only_brought_up(bring_up) -> None:
    code, _, asked = bring_up({"flags": ["NOARP"], "linkinfo": {"info_kind": "vcan"}})
    assert (code, asked) == (0, ["ip link set dev can0 up"])


def test_an_interface_that_is_not_the_inverters_is_left_alone(bring_up) -> None:
    code, said, asked = bring_up(real(up=False), interface="can1")
    assert (code, asked) == (0, [])
    assert "left alone" in said


def test_a_kernel_that_refuses_is_quoted(bring_up) -> None:
    code, said, _ = bring_up(real(up=False), failing="bitrate")
    assert code == 1
    assert "can0 cannot be brought up" in said
    assert "as told" in said


def test_a_broken_configuration_is_refused(bring_up, tmp_path) -> None:
    broken = tmp_path / "bmsd.toml"
    broken.write_text("[pack")
    code, said, asked = bring_up(real(up=False), config=broken)
    assert (code, asked) == (78, [])
    assert str(broken) in said


def test_a_pack_without_an_inverter_changes_nothing(bring_up, tmp_path) -> None:
    text = (ROOT / "etc" / "bmsd.toml").read_text()
    without = tmp_path / "bmsd.toml"
    without.write_text(text[: text.index("[can]")] + text[text.index("[modbus]") :])
    code, _, asked = bring_up(real(up=False), config=without)
    assert (code, asked) == (0, [])


def test_the_interface_of_a_further_bus_is_brought_up_with_its_own_bit_rate(bring_up, tmp_path) -> None:
    config = tmp_path / "bmsd.toml"
    more = '[can.display]\nprotocol = "jk"\nchannel = "can1"\n'
    config.write_text((ROOT / "etc" / "bmsd.toml").read_text() + more)
    for interface, rate in (("can0", 500_000), ("can1", 250_000)):
        code, _, asked = bring_up(real(up=False), interface=interface, config=config)
        assert code == 0
        assert f"bitrate {rate}" in asked[1]
    assert bring_up(real(up=False), interface="can2", config=config)[2] == []
