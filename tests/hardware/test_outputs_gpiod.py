"""Lines through libgpiod, with a stand-in that records what the real one is asked, in both versions."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bmsd.errors import OutputError
from bmsd.hardware import outputs_gpiod
from bmsd.hardware.outputs_gpiod import GpiodLines

OUTPUTS = {"charge": 17, "heater": 23}
CONTACTS = {"charge": 5}
CHIPS = {"/dev/gpiochip0": "pinctrl-rp1", "/dev/gpiochip4": "pinctrl-bcm2711"}


class Kernel:
    """What the stand-ins share: levels per line, the requests made, and a failure to order."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.levels: dict[int, int] = {}
        self.failure: OSError | None = None
        self.released = False

    def check(self) -> None:
        if self.failure:
            raise self.failure


def version_2(kernel: Kernel) -> ModuleType:
    """Build what `import gpiod` gives from 2.0 on."""

    class Chip:
        def __init__(self, path: str) -> None:
            self.path = path

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            pass

        def get_info(self):
            return SimpleNamespace(label=CHIPS[self.path])

    class Request:
        def set_value(self, number: int, value: str) -> None:
            kernel.check()
            kernel.levels[number] = value == "active"

        def get_value(self, number: int) -> str:
            kernel.check()
            return "active" if kernel.levels.get(number) else "inactive"

        def release(self) -> None:
            kernel.released = True

    def request_lines(path, consumer, config):
        kernel.check()
        kernel.calls.append((path, consumer, config))
        kernel.levels |= {n: s.output_value == "active" for n, s in config.items() if s.direction == "out"}
        return Request()

    module = ModuleType("gpiod")
    module.Chip, module.request_lines = Chip, request_lines
    module.line = SimpleNamespace(
        Direction=SimpleNamespace(OUTPUT="out", INPUT="in"),
        Value=SimpleNamespace(ACTIVE="active", INACTIVE="inactive"),
        Bias=SimpleNamespace(PULL_DOWN="pulled down"),
    )
    module.LineSettings = lambda **given: SimpleNamespace(**{"output_value": None, **given})
    return module


def version_1(kernel: Kernel) -> ModuleType:
    """Build what `import gpiod` gives before 2.0."""

    class Line:
        def __init__(self, number: int) -> None:
            self.number = number

        def request(self, consumer, type, flags=0, default_vals=None) -> None:  # noqa: A002 - its name there
            kernel.check()
            kernel.calls.append((self.number, consumer, type, flags, default_vals))
            if type == "out":
                kernel.levels[self.number] = default_vals[0]

        def set_value(self, value: int) -> None:
            kernel.check()
            kernel.levels[self.number] = value

        def get_value(self) -> int:
            kernel.check()
            return kernel.levels.get(self.number, 0)

    class Chip:
        def __init__(self, path: str) -> None:
            self.path = path

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            pass

        def label(self) -> str:
            return CHIPS[self.path]

        def get_line(self, number: int) -> Line:
            return Line(number)

        def close(self) -> None:
            kernel.released = True

    module = ModuleType("gpiod")
    module.Chip = Chip
    module.LINE_REQ_DIR_OUT, module.LINE_REQ_DIR_IN, module.LINE_REQ_FLAG_ACTIVE_LOW = "out", "in", 4
    module.LINE_REQ_FLAG_BIAS_PULL_DOWN = 16
    return module


@pytest.fixture
def kernel(monkeypatch) -> Kernel:
    monkeypatch.setattr(outputs_gpiod.Path, "glob", lambda *_: [Path(path) for path in CHIPS])
    return Kernel()


@pytest.fixture(params=[version_2, version_1], ids=["version 2", "version 1"])
def gpiod(request, kernel, monkeypatch) -> Kernel:
    monkeypatch.setitem(sys.modules, "gpiod", request.param(kernel))
    return kernel


def test_direction_and_level_are_one_call_in_version_2(kernel, monkeypatch) -> None:
    """S5, S13: between direction and level there is no moment in which a line could be on."""
    monkeypatch.setitem(sys.modules, "gpiod", version_2(kernel))
    GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)
    [(path, consumer, config)] = kernel.calls
    assert (path, consumer) == ("/dev/gpiochip0", "bmsd")
    for number in OUTPUTS.values():
        assert (config[number].direction, config[number].output_value) == ("out", "inactive")
    # S2: a broken wire to a contact reads as open.
    assert (config[5].direction, config[5].bias) == ("in", "pulled down")


def test_direction_and_level_are_one_call_in_version_1(kernel, monkeypatch) -> None:
    """S5, S13."""
    monkeypatch.setitem(sys.modules, "gpiod", version_1(kernel))
    GpiodLines(OUTPUTS, CONTACTS, "", active_low=True)
    assert kernel.calls == [
        (17, "bmsd", "out", 4, [0]),
        (23, "bmsd", "out", 4, [0]),
        (5, "bmsd", "in", 16, None),  # S2: a broken wire to a contact reads as open
    ]


def test_active_low_goes_to_the_kernel_with_the_request(kernel, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", version_2(kernel))
    GpiodLines(OUTPUTS, {}, "", active_low=True)
    assert all(line.active_low for line in kernel.calls[0][2].values())


@pytest.mark.parametrize(
    ("wanted", "path"),
    [("", "/dev/gpiochip0"), ("pinctrl-bcm2711", "/dev/gpiochip4"), ("/dev/gpiochip7", "/dev/gpiochip7")],
)
def test_the_chip_is_found_by_label_or_path(kernel, wanted, path) -> None:
    """The number of the header's chip differs between kernels, its label does not."""
    assert outputs_gpiod.find_chip(wanted, CHIPS.get) == path


def test_a_missing_label_names_what_is_there(gpiod) -> None:
    with pytest.raises(OutputError, match=r"pinctrl-xyz.*present.*pinctrl-rp1.*outputs\.gpio_chip"):
        GpiodLines(OUTPUTS, {}, "pinctrl-xyz", active_low=False)


def test_lines_follow_and_read_back(gpiod) -> None:
    lines = GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)
    assert not any(gpiod.levels.values())
    lines.drive("charge", True)
    assert gpiod.levels[17]
    assert lines.read("charge")
    assert not lines.read("heater")
    gpiod.levels[5] = 1
    assert lines.contact("charge") is True
    assert lines.contact("heater") is None


def test_closing_writes_off_and_then_lets_go(gpiod) -> None:
    """S5: the kernel keeps a level after its owner has gone."""
    lines = GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)
    lines.drive("charge", True)
    lines.drive("heater", True)
    lines.close()
    assert not any(gpiod.levels.values())
    assert gpiod.released


def test_trouble_of_the_kernel_is_an_output_error_in_words(gpiod) -> None:
    """S9."""
    lines = GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)
    gpiod.failure = OSError(5, "Input/output error")
    with pytest.raises(OutputError, match="charge cannot be set"):
        lines.drive("charge", True)
    with pytest.raises(OutputError, match="charge cannot be read"):
        lines.read("charge")
    assert lines.contact("charge") is None
    lines.close()
    assert gpiod.released


def test_lines_that_somebody_else_holds_are_refused_with_the_next_step(gpiod) -> None:
    gpiod.failure = OSError(16, "Device or resource busy")
    with pytest.raises(OutputError, match="gpioinfo"):
        GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)


def test_a_chip_that_may_not_be_opened_names_the_group(gpiod) -> None:
    gpiod.failure = PermissionError(13, "Permission denied")
    with pytest.raises(OutputError, match="group gpio"):
        GpiodLines(OUTPUTS, CONTACTS, "", active_low=False)
