"""Every key of the configuration file besides [parameters], one row each.

Checks, error texts, the example file and the configuration document derive from these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bmsd.tables.chemistries import CHEMISTRIES, PRESETS


class Required(Enum):
    """Whether a key may be left out."""

    YES = "required"
    NO = "optional"


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration key. A number carries its range in people's units; a text may carry choices."""

    section: str
    name: str
    type: type
    help: str
    default: object = None
    """None with Required.NO: not fitted, or not used."""
    required: Required = Required.NO
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """Say what may stand here."""
        if self.choices:
            several = "a list of " if self.type is list else "one of "
            return several + ", ".join(f'"{choice}"' for choice in self.choices)
        if self.low is not None and self.high is not None:
            low, high = (f"{end:.10g}" for end in (self.low, self.high))
            return low if low == high else f"{low} to {high}"
        plain = {bool: "true or false", str: "a text", list: "a list of texts", dict: "a table"}
        return plain.get(self.type, "a number")


FILE = "/etc/bmsd/bmsd.toml"
"""Where the configuration is when no other file is named."""
MUST = Required.YES
OWN_FETS = "afe"
"""The topology whose switches are the front-end chip's own FETs."""
CONTACTORS = {"split": ("charge", "discharge"), "common": ("main",), OWN_FETS: ("charge", "discharge")}
"""The switches of each topology."""
CONTACTOR_LINES = {name: () if name == OWN_FETS else names for name, names in CONTACTORS.items()}
"""Those of them that need a line; no other one has one."""
MAPS = ("bmsd", "sunspec", "jk")
"""Register maps of the Modbus link."""
JK_4E57 = "jk-4e57"
"""The mode in which a port of the Modbus link speaks the protocol of older JK boards instead."""
OPTIONAL_SECTIONS = ("heater", "can", "modbus", "meter", "bench")
"""A section that may be missing altogether: then the thing is not there."""
OPEN_SECTIONS = ("can",)
"""Sections whose further keys go to a library as they are."""
NAMED_SECTIONS = ("can", "modbus", "meter")
"""Sections that there may be more of: [modbus.NAME] is a whole section of its own, served by its own link."""

# fmt: off
KEYS: tuple[Key, ...] = (
    Key("pack", "chemistry", str, "Cell chemistry.", required=MUST, choices=tuple(CHEMISTRIES)),
    Key("pack", "cells", int, "Cells in series.", required=MUST, low=3, high=16),
    Key("pack", "capacity_ah", float, "Rated capacity.", required=MUST, low=1, high=5000),
    Key("pack", "preset", str, "Where parameters that are not given come from.", "default", choices=PRESETS),
    Key("pack", "i_know", list, "Parameters, by name, that go beyond what is usual for the chemistry because the data"
        " sheet of the cells says so; docs/generated/parameters.md lists how far.", ()),
    Key("afe", "chip", str, "Front-end chip.", required=MUST),
    Key("afe", "bus", int, "Number of the I2C bus: 1 is /dev/i2c-1.", 1, low=0, high=255),
    Key("afe", "address", int, "7-bit I2C address.", 0x08, low=0x03, high=0x77),
    Key("afe", "crc", bool, "Checksum on every byte; keep it on.", True),
    Key("afe", "shunt_mohm", float, "Shunt resistance in milliohm.", required=MUST, low=0.01, high=10),
    Key("afe", "battery_sensors", int, "Battery temperature sensors fitted.", 2, low=1, high=2),
    Key("afe", "switch_sensor", bool, "A temperature sensor on the switch board is fitted.", True),
    Key("afe", "timeout_ms", int, "Longest time one I2C transfer may take.", 20, low=10, high=100),
    Key("outputs", "backend", str, "Library that drives the lines; gpiod is the one for real contactors.",
        "gpiod", choices=("gpiod", "gpiozero")),
    Key("outputs", "gpio_chip", str, "GPIO chip by label or path; empty finds the Raspberry Pi's header.", ""),
    Key("outputs", "charge", int, "Line of the charge contactor (topology split).", low=0, high=1000),
    Key("outputs", "discharge", int, "Line of the discharge contactor (topology split).", low=0, high=1000),
    Key("outputs", "precharge", int, "Line of the pre-charge relay.", low=0, high=1000),
    Key("outputs", "heater", int, "Line of the heater relay.", low=0, high=1000),
    Key("outputs", "buzzer", int, "Line of the buzzer.", low=0, high=1000),
    Key("outputs", "heartbeat", int, "Line that toggles every good cycle, for a watchdog relay.", low=0, high=1000),
    Key("outputs", "led", int, "Line of the status LED: steady good, slow warning, fast protection or fault, double"
        " starting, dark not running.", low=0, high=1000),
    Key("outputs", "button", int, "Input of a push button that wakes a pack that sleeps; pressed gives a high level.",
        low=0, high=1000),
    Key("outputs", "i_know", list, "Keys of this section whose line is free and off at power-up although it usually is"
        " not, such as [\"heater\"].", ()),
    Key("outputs", "active_low", bool, "A low level switches on (only with the gpiod backend).", False),
    Key("outputs", "charge_feedback", int, "Input of the charge contactor's auxiliary contact.", low=0, high=1000),
    Key("outputs", "discharge_feedback", int, "Input of the discharge contactor's auxiliary contact.",
        low=0, high=1000),
    Key("outputs", "main", int, "Line of the main contactor (topology common).", low=0, high=1000),
    Key("outputs", "main_feedback", int, "Input of the main contactor's auxiliary contact.", low=0, high=1000),
    Key("switches", "topology", str, "What switches the pack: a contactor for charging and one for discharging, a"
        " common one, or the front-end chip's own FETs.", "split", choices=tuple(CONTACTORS)),
    Key("switches", "close_after_restart", str, "Whether contactors close by themselves after a start of bmsd, or each"
        " waits for 'bmsctl switch NAME on'.", "automatic", choices=("automatic", "operator")),
    Key("heater", "resistance_ohm", float, "Heater resistance.", required=MUST, low=0.1, high=10_000),
    Key("heater", "supply", str, "Where the heater takes its current from.", "charger",
        choices=("charger", "pack")),
    Key("can", "protocol", str, "What the inverter is told to expect; auto listens first and sends nothing until it has"
        " recognised the inverter.", "pylontech"),
    Key("can", "fallback", str, "With auto: the protocol to take when nothing was recognised; empty: go on listening.",
        ""),
    Key("can", "fallback_after_s", float, "How long auto listens before it takes the fallback.", 60.0,
        low=10, high=3600),
    Key("can", "battery_name", str, "The battery's name in frame 0x35E, by which some inverters choose their own rules;"
        " empty: the protocol's.", ""),
    Key("can", "share_percent", int, "Share of the current limits that is told on this bus; those of several inverters"
        " make 100 at most.", 100, low=1, high=100),
    Key("can", "silence_after_s", float, "How long after the last good data frames stop altogether.", 30.0,
        low=1, high=600),
    Key("can", "interface", str, "python-can interface.", "socketcan"),
    Key("can", "channel", str, "python-can channel.", "can0"),
    Key("can", "bitrate", int, "Bits per second: the protocol's, which is also taken when this is not written.",
        low=10_000, high=1_000_000),
    Key("modbus", "port", str, "Serial port."),
    Key("modbus", "tcp", str, "Modbus TCP instead of a serial port: an address of this machine and a port, such as"
        " \"127.0.0.1:1502\"."),
    Key("modbus", "baudrate", int, "Baud.", 9600, low=1200, high=921_600),
    Key("modbus", "parity", str, "Parity.", "N", choices=("N", "E", "O")),
    Key("modbus", "stopbits", int, "Stop bits.", 1, low=1, high=2),
    Key("modbus", "direction", str, "Who switches an RS485 transceiver between sending and listening: the adapter by"
        " itself, or the kernel by RTS.", "adapter", choices=("adapter", "kernel")),
    Key("modbus", "rts_when_sending", str, "Level of RTS while sending (direction kernel).", "high",
        choices=("high", "low")),
    Key("modbus", "before_ms", int, "How long RTS switches before the first bit (direction kernel).", 0,
        low=0, high=100),
    Key("modbus", "after_ms", int, "How long RTS stays after the last bit (direction kernel).", 0, low=0, high=100),
    Key("modbus", "mode", str, "What is spoken: Modbus RTU, or the 4E57 protocol of older JK boards, without maps.",
        "rtu", choices=("rtu", JK_4E57)),
    Key("modbus", "unit", int, "Unit id this pack answers to.", 1, low=1, high=247),
    Key("modbus", "maps", list, "Register maps served under it.", ("bmsd",), choices=MAPS),
    Key("modbus", "more_units", dict, "Further unit ids on the same line, each with its maps: { 2 = [\"bmsd\"] }."),
    Key("modbus", "writes", bool, "Masters may write switches and parameters, to the narrower side and only while"
        " somebody has unlocked it.", False),
    Key("meter", "port", str, "Serial port on which bmsd asks others."),
    Key("meter", "tcp", str, "Modbus TCP instead of a serial port: address and port of the device, such as"
        " \"192.0.2.7:502\"."),
    Key("meter", "baudrate", int, "Baud.", 9600, low=1200, high=921_600),
    Key("meter", "parity", str, "Parity.", "N", choices=("N", "E", "O")),
    Key("meter", "stopbits", int, "Stop bits.", 1, low=1, high=2),
    Key("meter", "devices", dict, "What is read, by unit id: { 1 = \"sdm120\", 2 = \"jk-pb\" }."),
    Key("meter", "period_s", float, "How often each is read.", 5.0, low=1, high=3600),
    Key("bench", "scenario", str, "Scenario of the simulated pack; only with --simulate.", "demo"),
)
# fmt: on
SECTIONS = (*dict.fromkeys(key.section for key in KEYS), "parameters")


def keys_of(section: str) -> dict[str, Key]:
    """Give the rows of one section by name; [modbus.NAME] has those of [modbus]."""
    base, _, name = section.partition(".")
    if name and base not in NAMED_SECTIONS:
        return {}
    return {key.name: key for key in KEYS if key.section == base}


def section_of(link: str) -> str:
    """Name the section a link is configured in: that of modbus@garage is modbus.garage."""
    return link.replace("@", ".")


def link_of(section: str) -> str:
    """Name the link that serves a section, the other way round."""
    return section.replace(".", "@")
