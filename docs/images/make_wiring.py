"""Draw the pictures of the Raspberry Pi guide as SVG: wiring, header, ways of failing.

Pin numbers come from etc/bmsd.toml. Run it after a change there: `python3 docs/images/make_wiring.py`.
Standard library only; the same input gives the same bytes.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parents[1] / "etc" / "bmsd.toml"

INK, QUIET, WHITE = "#1b1f24", "#5b6470", "#ffffff"
POWER, SIGNAL, SAFETY = "#b3261e", "#1f5fa8", "#8a5a00"
PALE_POWER, PALE_SIGNAL, PALE_SAFETY = "#fbe9e7", "#e6f0fa", "#fdf1d8"
PALE, PALE_GOOD, GOOD = "#f1f3f5", "#d9efdc", "#2e7d32"
FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"

OUTPUTS = ("charge", "discharge", "precharge", "heater", "buzzer", "heartbeat")
INPUTS = ("charge_feedback", "discharge_feedback")
HEADER = (
    "3V3", "5V", "GPIO 2", "5V", "GPIO 3", "GND", "GPIO 4", "GPIO 14", "GND", "GPIO 15",
    "GPIO 17", "GPIO 18", "GPIO 27", "GND", "GPIO 22", "GPIO 23", "3V3", "GPIO 24", "GPIO 10", "GND",
    "GPIO 9", "GPIO 25", "GPIO 11", "GPIO 8", "GND", "GPIO 7", "GPIO 0", "GPIO 1", "GPIO 5", "GND",
    "GPIO 6", "GPIO 12", "GPIO 13", "GND", "GPIO 19", "GPIO 16", "GPIO 26", "GPIO 20", "GND", "GPIO 21",
)  # fmt: skip
"""What is on pins 1 to 40, the same on every Raspberry Pi with 40 pins."""
TAKEN = {
    2: "I2C data: front-end chip", 3: "I2C clock: front-end chip", 0: "HAT's memory: leave it",
    1: "HAT's memory: leave it", 14: "UART: RS485", 15: "UART: RS485", 8: "SPI: CAN HAT",
    9: "SPI: CAN HAT", 10: "SPI: CAN HAT", 11: "SPI: CAN HAT",
}  # fmt: skip
"""Lines that buses use when they are switched on."""
HAT_INTERRUPTS = {25: "CAN HATs", 24: "RS485 HATs", 23: "2-CH CAN HAT"}
"""Lines that HATs take as their interrupt; they must not be bmsd's beside such a HAT."""
LAST_PULLED_UP = 8


class Svg:
    """A picture that grows by one element per call."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="{WHITE}"/>',
        ]

    def text(
        self, x: float, y: float, words: str, size: int = 14, fill: str = INK, anchor: str = "middle",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write words in one line, or several separated by a bar, centred on y."""
        lines = words.split("|")
        weight = ' font-weight="bold"' if bold else ""
        for number, line in enumerate(lines):
            base = y + size * 0.35 + (number - (len(lines) - 1) / 2) * size * 1.25
            self._parts.append(
                f'<text x="{x:g}" y="{base:g}" font-size="{size}" fill="{fill}" '
                f'text-anchor="{anchor}"{weight}>{escape(line)}</text>'
            )

    def box(
        self, x: float, y: float, width: float, height: float, words: str = "", fill: str = PALE,
        stroke: str = INK, size: int = 14, bold: bool = False,
    ) -> None:  # fmt: skip
        """Draw a box with words in its middle."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" '
            f'stroke="{stroke}" stroke-width="1.5"/>'
        )
        if words:
            self.text(x + width / 2, y + height / 2, words, size, bold=bold)

    def line(self, *points: tuple[float, float], stroke: str = INK, width: float = 2, dash: str = "") -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}/>'
        )

    def dot(self, x: float, y: float, radius: float = 5, fill: str = INK, stroke: str = "none") -> None:
        """Draw a filled circle."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>')

    def contact(self, x: float, y: float, stroke: str = POWER, width: float = 4) -> None:
        """Draw an open contact, 60 wide, in a line that runs from left to right."""
        self._parts.append(f'<rect x="{x:g}" y="{y - 22:g}" width="60" height="30" fill="{WHITE}"/>')
        self.line((x, y), (x + 15, y), stroke=stroke, width=width)
        self.line((x + 15, y), (x + 46, y - 17), stroke=stroke, width=width)
        self.line((x + 45, y), (x + 60, y), stroke=stroke, width=width)
        self.dot(x + 15, y, 4, stroke)
        self.dot(x + 45, y, 4, stroke)

    def arrow(self, *points: tuple[float, float], stroke: str = SIGNAL) -> None:
        """Draw a line with an arrow head at its end; the last part is level."""
        self.line(*points, stroke=stroke, width=2)
        (before, _), (x, y) = points[-2:]
        back = x - 9 if x > before else x + 9
        self._parts.append(
            f'<polygon points="{x:g},{y:g} {back:g},{y - 5:g} {back:g},{y + 5:g}" fill="{stroke}"/>'
        )

    def done(self) -> str:
        """Give the finished picture."""
        return "\n".join([*self._parts, "</svg>", ""])


def wiring(config: Mapping[str, Any]) -> str:
    """Draw the power path above, and below it who may let current into a coil."""
    svg = Svg(1000, 960, "Wiring of a pack with contactors, Raspberry Pi, chip permits and watchdog relay")
    svg.text(40, 26, "Power path", 18, POWER, "start", bold=True)
    _power_path(svg, config)
    svg.text(300, 430, "Control path: every contact in a row must agree", 18, SIGNAL, "start", bold=True)
    _pi_and_neighbours(svg, config)
    _coil_rows(svg, config["outputs"])
    return svg.done()


def _power_path(svg: Svg, config: Mapping[str, Any]) -> None:
    cells = config["pack"]["cells"]
    wire = {"stroke": POWER, "width": 4}
    svg.line((85, 120), (85, 80), (380, 80), **wire)
    svg.line((380, 80), (820, 80), **wire)
    svg.line((380, 80), (380, 250), (820, 250), **wire)
    svg.line((430, 250), (430, 310), (690, 310), (690, 250), **wire)
    svg.line((85, 320), (85, 380), (985, 380), (985, 80), (960, 80), **wire)
    svg.line((985, 250), (960, 250), **wire)
    svg.box(40, 120, 90, 200, f"{cells} cells|in series", PALE_POWER, POWER)
    svg.box(130, 62, 80, 36, "fuse", WHITE, POWER)
    svg.box(240, 62, 105, 36, "main switch", WHITE, POWER)
    svg.box(150, 362, 90, 36, "shunt", WHITE, POWER)
    for x, y in ((380, 80), (430, 250), (690, 250), (985, 250), (790, 80)):
        svg.dot(x, y, 6, POWER)
    for x, y, words in ((480, 80, "K1 charge"), (530, 250, "K2 discharge"), (470, 310, "K3 pre-charge")):
        svg.contact(x, y)
        svg.text(x + 30, y + 20, words, 14, POWER)
    svg.box(565, 294, 95, 32, "resistor", WHITE, POWER)
    svg.box(820, 45, 140, 70, "chargers:|solar, mains", PALE_POWER, POWER, bold=True)
    svg.box(820, 215, 140, 70, "loads:|inverter", PALE_POWER, POWER, bold=True)
    for x, words in ((115, "B−"), (270, "P−")):
        svg.text(x, 366, words, 14, POWER, bold=True)
    _heater_branch(svg)
    svg.text(560, 352, "No charger on the load side: it would charge past K1.", 14, POWER)


def _heater_branch(svg: Svg) -> None:
    svg.line((790, 80), (790, 165), (412, 165), (412, 190), stroke=POWER, width=2.5)
    svg.box(715, 149, 55, 32, "fuse", WHITE, POWER)
    svg.box(598, 149, 105, 32, "thermostat", WHITE, POWER)
    svg.contact(530, 165, width=2.5)
    svg.text(560, 186, "K4 heater", 14, POWER)
    svg.box(430, 145, 90, 40, "heater|at the cells", WHITE, POWER, 13)
    svg.text(412, 202, "P−", 14, POWER, bold=True)


def _pi_and_neighbours(svg: Svg, config: Mapping[str, Any]) -> None:
    chip = config["afe"]["chip"].upper()
    svg.line((65, 320), (65, 470), stroke=SIGNAL, width=2)
    svg.text(74, 412, "sense wires, a fuse in each", 13, SIGNAL, "start")
    svg.box(40, 470, 165, 120, f"front-end chip|{chip}|LD: load side of K2|DCHG, DDSG: permits", PALE_SIGNAL, SIGNAL,
            13)  # fmt: skip
    svg.box(235, 505, 85, 50, "I2C|isolator", WHITE, SIGNAL, 13)
    svg.line((205, 530), (235, 530), stroke=SIGNAL)
    svg.line((320, 530), (350, 530), stroke=SIGNAL)
    svg.box(350, 455, 120, 470, "", PALE_SIGNAL, SIGNAL)
    svg.text(398, 685, "Raspberry|Pi", 14, SIGNAL, bold=True)
    svg.text(358, 530, "2, 3", 14, SIGNAL, "start")
    for y, words in (
        (640, "inverter CAN:|isolated, 120 Ω at both ends"),
        (740, "Modbus RS485:|isolated, 120 Ω at both ends"),
        (840, "supply: isolated DC/DC,|not from the load side"),
    ):
        svg.box(40, y - 26, 235, 52, words, WHITE, QUIET, 13)
        svg.line((275, y), (350, y), stroke=QUIET)


def _coil_rows(svg: Svg, lines: Mapping[str, Any]) -> None:
    rows = (
        ("charge", 490, "K1 coil", "DCHG high"),
        ("discharge", 545, "K2 coil", "DDSG high"),
        ("precharge", 600, "K3 coil", "DDSG high"),
        ("heater", 655, "K4 coil", ""),
    )
    for name, y, coil, permit in rows:
        _pin(svg, lines, name, y)
        svg.line((470, y), (940, y), stroke=SIGNAL)
        svg.box(500, y - 20, 155, 40, f"driver, pull-down|{name}", WHITE, SIGNAL, 13)
        if permit:
            svg.box(680, y - 20, 110, 40, f"only if|{permit}", PALE_SAFETY, SAFETY, 13)
        svg.box(820, y - 20, 90, 40, coil, WHITE, POWER, 13)
    svg.line((940, 490), (940, 780), (500, 780), stroke=SAFETY, width=3)
    _pin(svg, lines, "heartbeat", 715)
    svg.line((470, 715), (820, 715), stroke=SIGNAL)
    svg.box(
        500,
        691,
        265,
        48,
        "watchdog: holds 1.5 s after|each rising edge, else lets go",
        PALE_SAFETY,
        SAFETY,
        13,
    )
    svg.box(820, 695, 90, 40, "K5 coil", WHITE, SAFETY, 13)
    svg.contact(840, 780, SAFETY, 3)
    svg.text(870, 800, "K5 contact", 13, SAFETY)
    svg.box(690, 762, 120, 36, "emergency stop", PALE_SAFETY, SAFETY, 13)
    svg.box(620, 762, 50, 36, "fuse", WHITE, SAFETY, 13)
    svg.box(490, 762, 110, 36, "coil supply", PALE_SAFETY, SAFETY, 13)
    _pin(svg, lines, "buzzer", 835)
    svg.line((470, 835), (500, 835), stroke=SIGNAL)
    svg.box(500, 815, 155, 40, "transistor, buzzer", WHITE, SIGNAL, 13)
    for y, name in ((880, INPUTS[0]), (908, INPUTS[1])):
        _pin(svg, lines, name, y)
        svg.arrow((500, y), (470, y))
    svg.box(500, 866, 440, 56, "auxiliary contacts of K1 and K2: 3.3 V through the|contact; 1 kΩ in line, 4.7 kΩ to "
            "ground at the Pi", WHITE, SIGNAL, 13)  # fmt: skip


def _pin(svg: Svg, lines: Mapping[str, Any], name: str, y: float) -> None:
    """Write the line's number inside the edge of the Pi."""
    svg.text(462, y, str(lines[name]) if name in lines else "–", 15, SIGNAL, "end", bold=True)


def header(config: Mapping[str, Any]) -> str:
    """Draw the 40 pins with what bmsd uses and how they are pulled at power-up."""
    svg = Svg(900, 760, "The 40-pin header: lines bmsd uses, and pulls at power-up")
    lines = config["outputs"]
    uses = {lines[name]: name for name in (*OUTPUTS, *INPUTS) if name in lines}
    svg.text(450, 26, "The 40-pin header, pin 1 at the corner with the SD card", 17, bold=True)
    svg.box(412, 48, 76, 618, "", PALE, QUIET)
    for number, name in enumerate(HEADER, 1):
        left = number % 2 == 1
        _header_pin(svg, number, name, 68 + (number - 1) // 2 * 30.5, left, uses)
    legend = (
        (40, PALE_POWER, POWER, "output of bmsd"), (215, PALE_SIGNAL, SIGNAL, "input of bmsd"),
        (380, WHITE, QUIET, "bus or free"),
    )  # fmt: skip
    for x, fill, stroke, words in legend:
        svg.box(x, 694, 20, 20, "", fill, stroke)
        svg.text(x + 28, 704, words, 14, anchor="start")
    svg.text(530, 704, "▲ pulled up   ▼ pulled down at power-up", 14, anchor="start")
    svg.text(40, 736, "! such HATs take this line: beside one it cannot be bmsd's", 14, POWER, "start")
    return svg.done()


def _header_pin(svg: Svg, number: int, name: str, y: float, left: bool, uses: Mapping[int, str]) -> None:
    side = -1 if left else 1
    x = 450 + side * 19
    is_line = name.startswith("GPIO")
    line = int(name.split()[1]) if is_line else -1
    use = uses.get(line, "")
    colour = POWER if use in OUTPUTS else SIGNAL if use else QUIET
    fill = PALE_POWER if use in OUTPUTS else PALE_SIGNAL if use else WHITE
    svg.dot(x, y, 13, fill if is_line else "#d0d5da", colour)
    svg.text(x, y, str(number), 12)
    anchor = "end" if left else "start"
    pull = ("▲" if line <= LAST_PULLED_UP else "▼") if is_line else ""
    label = f"{pull} {name}" if left else f"{name} {pull}"
    svg.text(450 + side * 48, y, label, 14, colour if use else INK, anchor, bold=bool(use))
    words = use.replace("_", " ") if use else TAKEN.get(line, "")
    if line in HAT_INTERRUPTS:
        words = f"{words}  ! {HAT_INTERRUPTS[line]}".strip()
    svg.text(450 + side * 148, y, words, 14, colour if use else QUIET, anchor, bold=bool(use))


class Failure(NamedTuple):
    """One way of failing: what, and per layer what it does; empty is nothing."""

    what: str
    acts: tuple[str, ...]


LAYERS = (
    "bmsd|itself", "guard|process", "systemd", "machine's|watchdog", "watchdog|relay K5", "chip permits|DCHG, DDSG",
    "pull-downs,|drivers off",
)  # fmt: skip
FAILURES = (
    Failure("bmsd is stopped", ("at once", "", "after it", "", "1.5 s", "at once", "")),
    Failure("bmsd crashes,|is killed", ("", "at once", "at once", "", "1.5 s", "5 s", "*")),
    Failure("bmsd hangs", ("", "4 s", "5 s", "", "1.5 s", "5 s", "")),
    Failure("bmsd and guard|killed together", ("", "", "at once", "", "1.5 s", "5 s", "*")),
    Failure("kernel hangs", ("", "", "", "10 s", "1.5 s", "5 s", "")),
    Failure("Pi loses supply", ("", "", "", "", "1.5 s", "5 s", "at once")),
    Failure("I2C or chip lost", ("1 s", "", "", "", "1.5 s", "5 s", "")),
    Failure("a driver|sticks on", ("opens other", "", "", "", "", "own limits", "")),
    Failure("a contactor|welds", ("opens other", "", "", "", "", "", "")),
)


def failure(config: Mapping[str, Any]) -> str:
    """Draw which layer opens the contactors at each way of failing, and when."""
    del config
    top, high, left, wide = 112, 54, 165, 102
    bottom = top + high * len(FAILURES)
    svg = Svg(900, bottom + 84, "Which layer opens the contactors at each way of failing")
    svg.text(450, 26, "What fails, and who opens the contactors after how long", 17, bold=True)
    for column, words in enumerate(LAYERS):
        svg.text(left + wide * (column + 0.5), 74, words, 14, bold=True)
    for row, (what, acts) in enumerate(FAILURES):
        y = top + row * high
        svg.text(150, y + high / 2 - 3, what, 14, anchor="end", bold=True)
        for column, act in enumerate(acts):
            fill = WHITE if not act else PALE_SAFETY if not _opens(act) else PALE_GOOD
            svg.box(left + wide * column + 3, y, wide - 6, high - 8, act, fill, "#c3cad1", 14)
    svg.text(
        450,
        bottom + 18,
        "* with strict_gpiod: the kernel lets go of the lines, and the pull-downs switch off",
        14,
    )
    svg.text(
        450,
        bottom + 40,
        "K5 with a hold time of 1.5 s. Where a driver sticks or a contactor welds, only a hand,",
        14,
    )
    svg.text(
        450,
        bottom + 60,
        "the main switch or the fuse ends the current. Times are by design, not measured on a Pi.",
        14,
    )
    return svg.done()


def _opens(act: str) -> bool:
    return act in ("at once", "after it", "*") or act.endswith(" s")


PICTURES = {"wiring.svg": wiring, "header-pins.svg": header, "failure-layers.svg": failure}


def pictures(config: Path = CONFIG) -> dict[str, str]:
    """Draw all pictures for a configuration, by file name."""
    with config.open("rb") as file:
        values = tomllib.load(file)
    return {name: draw(values) for name, draw in PICTURES.items()}


def main() -> int:
    """Write the pictures beside this file."""
    for name, text in pictures().items():
        (HERE / name).write_text(text, encoding="utf-8")
        print(HERE / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
