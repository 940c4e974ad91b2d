"""Every kind of event that is no alarm, one row each: its journal MESSAGE_ID, its line, and what to make of it.

`bmsd.ipc.sentences` takes its fixed lines from here, the journal link its fields, the documents and the message
catalog their explanations. Alarms have rows of their own in `alarms`. A MESSAGE_ID never changes its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

CRITICAL, ERROR, WARNING, NOTICE, INFORMATION = 2, 3, 4, 5, 6
"""Journal priorities: something is wrong, something may be, something changed, good to know."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. Texts may name fields the journal always has for it, as `@BMSD_NAME@`."""

    kind: str
    state: str
    """The one state this row is about; empty for all states of its kind."""
    message_id: str
    priority: int
    title: str
    line: str
    """The journal's line where it is always the same; empty where `bmsd.ipc.sentences` writes it."""
    happened: str
    did: str
    check: str
    clears: str


# fmt: off
KINDS: tuple[EventKind, ...] = (
    EventKind("switch", "", "3c07dd2e2641472ab2bd531f473223c8", NOTICE,
         "Switch moved: @BMSD_NAME@ @BMSD_STATE@", "",
         "bmsd told an output to change: @BMSD_NAME@ is now told to be @BMSD_STATE@.",
         "The output is read back; if it does not follow, an alarm says so.",
         "Nothing. For the reason, 'bmsctl why charge', 'bmsctl why discharge', 'bmsctl why heater' or"
         " 'bmsctl why balance'. Many operations in an hour mean a limit that is set too tight.",
         "It is a report; the next line for the same switch replaces it."),
    EventKind("state", "started", "781686d5ac6e4b39b66ed057ac25aaa3", NOTICE,
         "bmsd has made sure of the pack",
         "Start complete: enough good measurements in a row, contactors may close",
         "After a start bmsd had as many complete good cycles in a row as it wants before it closes anything.",
         "From now on contactors close when the rules and the operator's switches allow it.",
         "Nothing. If this line does not come after a start, 'bmsctl alarms' names what is missing.",
         "It is a report; it comes once after each start."),
    EventKind("state", "asleep", "0d5f7a1c8c2a4d0fb0f5b0a2a7d94e63", NOTICE,
         "The pack sleeps", "",
         "Nobody used the pack for the time the parameters say, or it is empty and shut itself down: @BMSD_NAME@.",
         "Everything is still measured, judged and switched, once per sleep_period_s. The contactors stay as they"
         " are, or open, as sleep_contactors says.",
         "Nothing. 'bmsctl why charge' and 'bmsctl why discharge' tell what sleep keeps open.",
         "A charger that stands above the pack, current, an alarm, the button, any request; 'bmsctl wake' asks for"
         " nothing else."),
    EventKind("state", "awake", "5b8e7d0c0f3b4a35a1f7c2d9e6184b2a", NOTICE,
         "The pack is awake again", "",
         "Something ended the pack's sleep: @BMSD_NAME@.",
         "Cycles run at their usual period, and the contactors close where the rules allow it.",
         "Nothing. If it wakes for a fault, 'bmsctl alarms' names it.",
         "It is a report."),
    EventKind("state", "silent", "c4a5d0b7e6f94d0c9a5b7d21f86e3a90", WARNING,
         "bmsd was silent for too long: everything off, and a new start",
         "bmsd said nothing to the front-end chip for 4 s or more: everything was switched off, and a start begins",
         "The core did not run, or its bus did not answer, for so long that the chip's own watchdog may have opened"
         " the contactors.",
         "Everything is switched off before anything else is said to the chip. Then contactors close as after a start:"
         " after good cycles, the load side behind its pre-charge.",
         "Why the machine stood still: 'journalctl -k' for the card and the supply, 'bmsctl status' for overruns and"
         " bus errors.",
         "It is a report; 'Start complete' follows."),
    EventKind("soc", "anchored", "eedbf80883e94918b28c04889f5e2ff5", INFORMATION,
         "State of charge corrected: the cells are @BMSD_NAME@", "",
         "The cells showed that the pack is @BMSD_NAME@.",
         "The state of charge was set to @BMSD_VALUE@ %, and counting goes on from there.",
         "The line tells what was counted before. If the two are far apart each time, check the shunt value"
         " and the capacity in the configuration.",
         "It is a report."),
    EventKind("request", "", "9c168a76151e432599e22ef0cf841cf3", NOTICE,
         "Someone asked bmsd for something", "",
         "A person or program asked at the request socket: @BMSD_NAME@, @BMSD_STATE@. The kernel told bmsd"
         " who it was: @BMSD_WHO@.",
         "The request was taken into the next decision. It can forbid more than the rules, never allow more; the"
         " emergency override alone does, and has lines of its own.",
         "Whether it was meant. Lines that follow tell what came of it.",
         "A switch that was forbidden stays so, also after a power cut, until it is asked on again."),
    EventKind("parameter", "set", "2abc030edae64c0b81f4a253fdbffe0a", NOTICE,
         "Parameter changed: @BMSD_NAME@", "",
         "@BMSD_NAME@ was changed at run time to @BMSD_VALUE@, by @BMSD_WHO@.",
         "The whole set of parameters was checked before anything was changed. The value is in force, and is"
         " kept over restarts. The front-end chip gets it while the contactors are open.",
         "Whether it was meant: 'bmsctl params' lists what differs from the configuration.",
         "'bmsctl params reset' goes back to the configuration files."),
    EventKind("writes", "unlocked", "9be43be93e1545a989da539dffe27ba3", NOTICE,
         "Writes over Modbus unlocked", "",
         "@BMSD_WHO@ lets Modbus masters write for a time, on @BMSD_NAME@.",
         "The link takes writes to switches and parameters until then. They can forbid and narrow, never allow more"
         " than what was set at the pack.",
         "Whether it was meant; 'bmsctl modbus lock' ends it at once.",
         "By itself when the time is over, by a wrong PIN, and by every restart."),
    EventKind("writes", "locked", "49e3bacb868d4de0b6670fd5970f4ad4", NOTICE,
         "Writes over Modbus locked", "",
         "@BMSD_WHO@ ended the time in which Modbus masters may write, on @BMSD_NAME@.",
         "Every further write is refused. What was written stays.",
         "Nothing.",
         "It is a report."),
    EventKind("daemon", "started", "d5f492acc9b443038747e39cf534cc34", NOTICE,
         "bmsd started", "bmsd started",
         "The core process began to run.",
         "All outputs are off until enough good measurements came in a row.",
         "If nobody started it: the lines before this one say why it ended,"
         " 'journalctl -u bmsd -b' has them.",
         "It is a report."),
    EventKind("daemon", "stopping", "49320ebe8ef24a4197a3226a3d6718f2", NOTICE,
         "bmsd is stopping", "bmsd is stopping, all outputs go off",
         "The core process was asked to end, or ended by an error of its own.",
         "All outputs go off: contactors open, the heater is off. The state of charge is written down.",
         "Whether it was meant. Until bmsd runs again the pack neither charges nor discharges, and nothing"
         " watches it but the front-end chip.",
         "'systemctl start bmsd'."),
    EventKind("daemon", "lost", "a64c2e12fb1441e5852022cb30fea1ee", NOTICE,
         "The state file cannot be written",
         "The state file cannot be written: the charge count would not survive a power cut",
         "The disk refused the file in which bmsd keeps what must survive a power cut: state of charge,"
         " latched alarms, forbidden switches, changed parameters.",
         "Protection goes on as before. bmsd offers the file to the disk again and again.",
         "'df /var/lib/bmsd' for a full disk, 'journalctl -k' for a card that fails or turned read-only."
         " 'journalctl -u bmsd' has the exact error.",
         "By itself, when the file can be written again; a line says so."),
    EventKind("daemon", "back", "4487828e588f48dcb4ead80be999e511", NOTICE,
         "The state file is written again", "The state file is written again",
         "The disk takes the state file again.",
         "Everything that changed meanwhile is now written down.",
         "Why it failed before: a card that failed once will fail again.",
         "It is a report."),
    EventKind("core", "lost", "d1da168fed47459ba1e721dec4e9d096", ERROR,
         "The core of bmsd is lost", "bmsd core lost",
         "The journal link has seen no new data from the core for some time: it ended, hangs, or never"
         " started. This line comes from the link, not from the core.",
         "systemd restarts a core that ended or hangs, and switches all outputs off before. The inverter is"
         " told zero limits, then nothing.",
         "'systemctl status bmsd' and 'journalctl -u bmsd -b' say why.",
         "By itself, when the core runs again. A line says so; where systemd restarted link and core together,"
         " it is 'bmsd started'."),
    EventKind("core", "back", "72440adea9e248b4a239efe5609f24df", NOTICE,
         "The core of bmsd is back", "bmsd core is back",
         "The journal link sees new data from the core again.",
         "The link tells the events that it had missed.",
         "Why it was lost, if nobody restarted it: 'journalctl -u bmsd -b'.",
         "It is a report."),
    EventKind("link", "missed", "f91b731667234b17a53b2cc65821aee2", WARNING,
         "Events are missing in the journal", "events were not told: they were overwritten meanwhile",
         "@BMSD_VALUE@ events happened that have no line in the journal: they were overwritten before the journal"
         " link could read them. It was not running then, or journald did not answer for long.",
         "Nothing: only the record has a gap. Protection does not wait for the journal.",
         "'systemctl status bmsd-link@journal systemd-journald', and 'journalctl -u systemd-journald' for a disk"
         " that is full or slow.",
         "It is a report; what comes after it is complete."),
    EventKind("emergency", "on", "a7b261d9c1324dd6b492dcaed03ec135", CRITICAL,
         "Emergency override on", "",
         "@BMSD_WHO@ asked for the emergency override. For 30 minutes under-voltage, over-voltage up to a margin and"
         " cold while discharging do not open the contactors.",
         "Everything else still does. The inverter is told a fifth of the discharge current, the buzzer chirps every"
         " 10 s, and CAN, Modbus and bmsctl tell of it.",
         "Watch the lowest cell: 'bmsctl watch'. Use only what you need.",
         "By itself after 30 minutes, by 'bmsctl emergency off', and by every restart."),
    EventKind("emergency", "off", "137ef19734354c06905577dcf2fb3bcb", NOTICE,
         "Emergency override switched off", "",
         "@BMSD_WHO@ ended the emergency override.",
         "Every protection opens its contactor again.",
         "Charge the pack if it is low.",
         "It is a report."),
    EventKind("emergency", "ended", "f29fde8c4ccf4294a0c57a74625a2285", NOTICE,
         "Emergency override ended", "Emergency override ended: its 30 minutes are over",
         "The 30 minutes of the emergency override are over.",
         "Every protection opens its contactor again.",
         "Charge the pack if it is low. Another 30 minutes need another 'bmsctl emergency on'.",
         "It is a report."),
)

FIELDS: tuple[tuple[str, str], ...] = (
    ("MESSAGE", "One line for people."),
    ("MESSAGE_ID", "One per alarm and per kind of event; leads `journalctl -x` to the explanation."),
    ("PRIORITY", "2 a protection tripped or was overridden, 3 a fault, 4 a warning, 5 a change or the end of an"
                 " alarm, 6 information."),
    ("SYSLOG_IDENTIFIER", "Always `bmsd`."),
    ("BMSD_EVENT", "The kind: `alarm`, or one of the kinds below."),
    ("BMSD_NAME", "What it is about: the alarm, the switch, the parameter."),
    ("BMSD_STATE", "What became of it: `raised` and `cleared`, `on` and `off`, `set`, `started`, ..."),
    ("BMSD_ALARM", "The alarm's name again; only alarms have it."),
    ("BMSD_CELL", "Number of the cell, from 1, where one cell is the reason."),
    ("BMSD_SENSOR", "Number of the battery sensor, from 1, where one is the reason."),
    ("BMSD_VALUE", "The value, in people's units: what tripped the alarm or is now; the new value of a parameter."),
    ("BMSD_LIMIT", "What it is compared with: limit or recovery; the old value of a parameter; the charge counted."),
    ("BMSD_UNIT", "Unit of both; absent for a plain number."),
    ("BMSD_WHO", "Who asked, as the kernel told it."),
)
"""The journal fields of an event; those from BMSD_CELL on only where they apply."""
# fmt: on
_BY_STATE = {(row.kind, row.state): row for row in KINDS}


def kind_of(kind: str, state: str) -> EventKind | None:
    """Find the row of an event; None for an alarm, and for what a newer core may tell."""
    return _BY_STATE.get((kind, state)) or _BY_STATE.get((kind, ""))


def line(kind: str, state: str) -> str:
    """Give the line of an event that always says the same; empty for others."""
    row = kind_of(kind, state)
    return row.line if row else ""
