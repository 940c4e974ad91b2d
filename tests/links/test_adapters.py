"""Adapters as they are in the field, through python-can's own drivers: missing, unplugged, full, talking nonsense."""

from __future__ import annotations

import errno
import json
import logging
import socket
import termios
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import can
import pytest
import serial
from can.interfaces.socketcand import socketcand

from bmsd.config.can import CanConfig
from bmsd.errors import ConfigError
from bmsd.ipc.shared_files import monotonic_ms
from bmsd.links import adapters
from bmsd.links import can as can_link
from bmsd.links.adapters import (
    MOST_WAITING,
    BusLostError,
    error_classes,
    interface_problem,
    opened,
    received,
    send,
)
from bmsd.links.link import Backoff, Link
from tests.links.can_bench import POINTS
from tests.links.lines import Adapter, Server
from tests.support.patience import allowed
from tests.support.running import eventually
from tests.support.snapshots import publish_snapshot

FRAME = can.Message(arbitration_id=0x351, data=bytes(8), is_extended_id=False)
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Shorten what is only waiting."""
    monkeypatch.setattr(can_link, "STEADY_MS", 1000)
    monkeypatch.setattr(can_link, "Backoff", lambda: Backoff(0.2, 2.0))


@pytest.fixture
def adapter():
    made = Adapter()
    yield made
    made.unplug()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


def slcan(port: str) -> dict:
    return {"interface": "slcan", "channel": port, "bitrate": 500_000, "sleep_after_open": 0}


def open_once(settings: dict) -> None:
    with opened(settings):
        pass


def send_many(bus: can.BusABC, count: int) -> None:
    for _ in range(count):
        send(bus, FRAME)


@contextmanager
def running(folder: Path, bus: dict, protocol: str = "pylontech"):
    """Run the whole link in a thread, with a core that publishes."""
    parameters = SimpleNamespace(cell_charge_mv=3450, cell_discharge_mv=2900)
    settings = CanConfig(protocol, 30.0, bus)
    config = SimpleNamespace(
        parameters=parameters,
        cells=16,
        chemistry="lifepo4",
        capacity_mah=280_000,
        path=folder / "bmsd.toml",
        buses={"can": settings},
    )
    link = Link("can", config, folder)  # type: ignore[arg-type]
    end = threading.Event()

    def publish() -> None:
        publish_snapshot(folder, {"points": POINTS, "alarms": []}, monotonic_ms())

    def core() -> None:
        while not end.wait(0.1):
            publish()

    publish()
    threads = [threading.Thread(target=core), threading.Thread(target=can_link.run, args=(link,))]
    for thread in threads:
        thread.start()
    try:
        yield link
    finally:
        end.set()
        link.stop()
        for thread in threads:
            thread.join(allowed(20))
        assert not any(thread.is_alive() for thread in threads), "the link does not end"


def state(folder: Path) -> dict:
    try:
        return json.loads((folder / "link-can.json").read_text())
    except (OSError, ValueError):
        return {"state": "", "detail": "", "bus_failures": 0, "frames_sent": 0, "bad_received": 0}


def write_timeout() -> Exception:
    """Give what python-can raises when a serial adapter takes nothing: the reason is only in the cause."""
    error = can.CanOperationError("Could not write to serial device")
    error.__cause__ = serial.SerialTimeoutException("Write timeout")
    return error


# --- slcan ----------------------------------------------------------------------------------------------------


def test_an_adapter_that_answers_every_frame_does_not_hide_the_inverter(adapter) -> None:
    """Each of our frames comes back as a line that is no frame; the life sign stands behind all of them."""
    with opened(slcan(adapter.port)) as bus:
        for _ in range(40):
            assert send(bus, FRAME)
        eventually(lambda: len(adapter.frames) == 40)
        adapter.heard(0x305, bytes(8))
        time.sleep(0.1)
        heard = [message for message in received(bus, 200) if message]
    assert [message.arbitration_id for message in heard] == [0x305]
    assert adapter.commands[-2:] == ["O", "C"] or "S6" in adapter.commands


def test_a_real_link_speaks_through_a_serial_adapter_and_hears_back(tmp_path, adapter) -> None:
    with running(tmp_path, slcan(adapter.port)):
        eventually(lambda: len(adapter.frames) >= 6)
        adapter.heard(0x305, bytes(8))
        eventually(lambda: "inverter heard" in state(tmp_path)["detail"])
    assert [number for number, _ in adapter.frames[:6]] == ["351", "355", "356", "359", "35C", "35E"]
    assert "S6" in adapter.commands, "the bit rate was not set"


def test_an_adapter_that_is_missing_at_the_start_is_taken_when_it_is_there(tmp_path, adapter, capfd) -> None:
    port = tmp_path / "port"
    with running(tmp_path, slcan(str(port))):
        eventually(lambda: state(tmp_path)["bus_failures"] >= 2)
        assert state(tmp_path)["state"] == "error"
        port.symlink_to(adapter.port)
        eventually(lambda: adapter.frames)
        eventually(lambda: state(tmp_path)["state"] == "running")
        eventually(lambda: "is there" in capfd.readouterr().err)
    assert capfd.readouterr().err.count("lost") == 0


def test_an_adapter_that_is_pulled_out_and_put_back_is_said_once_each_way(tmp_path, capfd) -> None:
    port, first = tmp_path / "port", Adapter()
    port.symlink_to(first.port)
    with running(tmp_path, slcan(str(port))):
        eventually(lambda: first.frames)
        first.unplug()
        eventually(lambda: state(tmp_path)["state"] == "error")
        eventually(lambda: state(tmp_path)["bus_failures"] >= 2)
        second = Adapter()
        port.unlink()
        port.symlink_to(second.port)
        eventually(lambda: second.frames)
        errors = ""

        def told() -> bool:
            nonlocal errors
            errors += capfd.readouterr().err
            return "is back" in errors

        eventually(told)
    second.unplug()
    assert [line.split(": ")[1].split()[-1] for line in errors.splitlines()] == ["lost", "back"], errors


def test_an_adapter_that_takes_nothing_costs_frames_and_not_the_link(tmp_path, adapter) -> None:
    with running(tmp_path, slcan(adapter.port)):
        eventually(lambda: adapter.frames)
        adapter.reading = False
        filler = b"x" * 100_000
        eventually(lambda: state(tmp_path).get("frames_dropped", 0) >= 6 or fill(adapter, filler), 20)
        assert state(tmp_path)["bus_failures"] == 0
        adapter.reading = True
        before = len(adapter.frames)
        eventually(lambda: len(adapter.frames) > before)


def fill(adapter: Adapter, data: bytes) -> None:
    """Fill the line towards the adapter, as a host that was not listened to for long."""
    import os

    os.set_blocking(adapter.theirs, False)
    try:
        os.write(adapter.theirs, data)
    except BlockingIOError:
        pass


@pytest.mark.parametrize(
    "noise",
    [
        b"zzz\rt3\rtxyz\r",
        b"\xff\xfe\r" * 5,
        b"x" * 600,
        b"t3559" + b"0" * 16 + b"\rT1\r",
        bytes(range(256)) * 4,
    ],
)
def test_nonsense_from_an_adapter_is_a_lost_bus_at_most(adapter, noise) -> None:
    with opened(slcan(adapter.port)) as bus:
        adapter.say(noise)
        time.sleep(0.1)
        told = adapters.NONSENSE
        try:
            for message in received(bus, 200):
                assert message is None or message.arbitration_id < 1 << 29
        except BusLostError as error:
            told = str(error)
    assert told == adapters.NONSENSE


def test_text_without_an_end_of_line_does_not_fill_the_memory(adapter) -> None:
    def listen() -> None:
        for _ in range(20):
            adapter.say(b"x" * 200)
            time.sleep(0.02)
            list(received(bus, 200))

    with opened(slcan(adapter.port)) as bus, pytest.raises(BusLostError, match="not CAN"):
        listen()


def test_an_adapter_of_nonsense_is_said_once_and_asked_ever_more_rarely(tmp_path, adapter, capfd) -> None:
    """It opens well each time: that alone is not being back."""
    end = threading.Event()

    def noise() -> None:
        while not end.wait(0.02):
            adapter.say(b"zzz\rt3\rtxyz\rt\r")

    thread = threading.Thread(target=noise)
    thread.start()
    try:
        with running(tmp_path, slcan(adapter.port)):
            eventually(lambda: state(tmp_path)["bus_failures"] >= 3, 20)
            assert "not CAN" in state(tmp_path)["detail"]
    finally:
        end.set()
        thread.join()
    errors = capfd.readouterr().err
    assert errors.count("lost") == 1
    assert errors.count("is back") == 0


@pytest.mark.parametrize(("waiting", "sent"), [(0, 1), (MOST_WAITING, 1), (MOST_WAITING + 1, 0)])
def test_nothing_is_put_behind_frames_that_wait_in_a_serial_port(waiting, sent) -> None:
    """S7: they would arrive old, all at once."""
    taken: list = []
    port = SimpleNamespace(out_waiting=waiting)
    bus = SimpleNamespace(serialPortOrig=port, send=lambda message, timeout: taken.append(message))
    assert send(bus, FRAME) == bool(sent)  # type: ignore[arg-type]
    assert len(taken) == sent


def test_a_serial_port_is_never_waited_for_until_it_is_empty(adapter, monkeypatch) -> None:
    """S9: a USB adapter that hangs would never be."""

    def drain(descriptor: int) -> None:
        raise AssertionError("tcdrain has no time-out")

    monkeypatch.setattr(termios, "tcdrain", drain)
    with opened(slcan(adapter.port)) as bus:
        assert bus.serialPortOrig.write_timeout == adapters.PORT_TIMEOUT_S
        assert send(bus, FRAME)
        eventually(lambda: adapter.frames)
    assert serial.serial_for_url.__name__ == "serial_for_url", "the library was left changed"


def test_an_adapter_that_stays_deaf_while_we_only_listen_is_opened_anew_without_a_word(
    tmp_path, adapter, monkeypatch, capfd
) -> None:
    monkeypatch.setattr(can_link, "DEAF_MS", 300)
    with running(tmp_path, slcan(adapter.port), "auto"):
        eventually(lambda: adapter.commands.count("S6") >= 3)
        assert state(tmp_path)["bus_failures"] == 0
    assert adapter.frames == []
    assert capfd.readouterr().err == ""


# --- socketcand -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(
    socketcand.convert_ascii_message_to_can_message("< frame 305 1.0 00 >").is_extended_id,
    reason="this python-can takes every frame of a server for a 29-bit one: the inverter is NOT heard through it",
)
def test_a_real_link_speaks_through_a_server_and_hears_back(tmp_path, server) -> None:
    with running(tmp_path, server.settings()):
        eventually(lambda: len(server.frames) >= 6)
        server.say(b"< frame 305 12.5 0000000000000000 >")
        eventually(lambda: "inverter heard" in state(tmp_path)["detail"])
    assert server.frames[0] == ("351", "28020A000A00D001")


def test_a_server_that_stops_and_comes_back_is_said_once_each_way(tmp_path, capfd) -> None:
    first = Server()
    with running(tmp_path, first.settings()):
        eventually(lambda: first.frames)
        port = first.port
        first.close()
        eventually(lambda: state(tmp_path)["state"] == "error")
        second = Server(port)
        eventually(lambda: second.frames, 20)
        eventually(lambda: state(tmp_path)["state"] == "running")
        errors = ""

        def told() -> bool:
            nonlocal errors
            errors += capfd.readouterr().err
            return "is back" in errors

        eventually(told)
    second.close()
    assert [line.split(": ")[1].split()[-1] for line in errors.splitlines()] == ["lost", "back"], errors


def test_a_server_that_is_not_there_is_asked_once_and_not_in_a_loop() -> None:
    """python-can's driver would ask for ten seconds without a pause, and log each time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(BusLostError):
        open_once({"interface": "socketcand", "channel": "can0", "host": "127.0.0.1", "port": port})
    assert time.monotonic() - began < allowed(5)


@pytest.mark.parametrize("greeting", [b"", b"220 mail ready\r\n", b"\xff\xff"])
def test_a_server_that_is_no_socketcand_is_given_up(greeting) -> None:
    made = Server(greeting=greeting)
    try:
        with pytest.raises(BusLostError):
            open_once(made.settings())
    finally:
        made.close()


def test_a_server_that_takes_nothing_more_is_a_lost_bus(monkeypatch) -> None:
    """S7: what waits in a full connection would arrive old."""
    monkeypatch.setattr(adapters, "SOCKET_TIMEOUT_S", 0.2)
    made = Server()
    try:
        with opened(made.settings()) as bus:
            made._end.set()
            made._thread.join()
            with pytest.raises(BusLostError):
                send_many(bus, 400_000)
    finally:
        made.close()


@pytest.mark.parametrize(
    "text", [b"< frame 305 x 00 >", b"< frame zz 1.0 00 >", b"\xff\xff>", b"< error 40 1.0 >"]
)
def test_nonsense_from_a_server_is_a_lost_bus_at_most(server, text) -> None:
    with opened(server.settings()) as bus:
        server.say(text)
        time.sleep(0.1)
        try:
            for message in received(bus, 200):
                assert message is None or message.is_error_frame
        except BusLostError:
            pass


# --- Others ---------------------------------------------------------------------------------------------------


def test_an_interface_that_python_can_does_not_know_ends_the_link_with_the_known_ones(tmp_path) -> None:
    assert interface_problem("slcan") == ""
    assert "slcan" in interface_problem("socketkan")
    settings = CanConfig("pylontech", 30.0, {"interface": "socketkan", "channel": "can0"})
    config = SimpleNamespace(buses={"can": settings}, path=tmp_path / "bmsd.toml")
    with pytest.raises(ConfigError, match="socketkan"):
        can_link.run(Link("can", config, tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize("interface", ["gs_usb", "pcan", "kvaser"])
def test_a_driver_without_its_library_is_a_lost_bus_with_its_reason(interface) -> None:
    with pytest.raises(BusLostError) as lost:
        open_once({"interface": interface, "channel": "0", "bitrate": 500_000})
    assert str(lost.value)


@pytest.mark.parametrize(
    "error",
    [can.CanOperationError("Failed to transmit", errno.ENOBUFS), can.CanOperationError("Transmit buffer full"),
     write_timeout()],
)  # fmt: skip
def test_a_full_queue_is_no_lost_bus(error) -> None:
    bus = SimpleNamespace(send=lambda message, timeout: (_ for _ in ()).throw(error))
    assert send(bus, FRAME) is False  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), KeyError("x"), OSError(errno.ENODEV, "No such device")]
)
def test_whatever_a_driver_raises_is_a_lost_bus(error) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    bus = SimpleNamespace(send=fail, recv=fail)
    with pytest.raises(BusLostError):
        send(bus, FRAME)  # type: ignore[arg-type]
    with pytest.raises(BusLostError):
        list(received(bus, 1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "data", "words"),
    [(0x40, b"", "off the bus"), (0x20, b"", "nobody acknowledges"), (0x08, b"", "broken"), (0x88, b"", "broken"),
     (0x04, b"\0\x20", "passive"), (0x04, b"\0\x01", ""), (0x60, b"", "off the bus"), (0x100, b"", "")],
)  # fmt: skip
def test_error_frames_are_told_in_words(number, data, words) -> None:
    message = can.Message(arbitration_id=number, data=data, is_error_frame=True)
    found = error_classes(message)
    assert words in found[0] if words else found == []


def test_the_library_logs_nothing_by_itself(capfd) -> None:
    with pytest.raises(BusLostError):
        open_once(slcan("/nowhere"))
    logging.getLogger("can.interfaces.slcan").error("told twice")
    assert capfd.readouterr().err == ""


def test_failures_wait_ever_longer_up_to_a_bound() -> None:
    patience = Backoff()
    assert [patience.failed() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
