"""bmsctl setup: what it asks, what it refuses, what it writes and what it leaves alone."""

from __future__ import annotations

import os
import stat
import tomllib
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmsd.afe.chips import CHIPS, usable
from bmsd.cli import setup_file
from bmsd.cli.console import Console
from bmsd.cli.main import main, parser
from bmsd.cli.setup_dialogue import Dialogue, EndOfAnswersError, assignments, by_default
from bmsd.cli.setup_questions import QUESTIONS, may_be_none, problems, row_of
from bmsd.config.checks import check_keys
from bmsd.config.files import Files
from bmsd.config.load import DEFAULT_PATH, load
from bmsd.inverters.protocols import PROTOCOLS, voltage_problems
from bmsd.tables import parameters
from bmsd.tables.chemistries import CHEMISTRIES
from bmsd.tables.configuration import CONTACTORS, KEYS, MUST
from tests.support import effort
from tests.support.effort import examples

MUSTS = {
    "afe.chip": "bq76952", "pack.chemistry": "lifepo4", "pack.cells": 16, "pack.capacity_ah": 280,
    "afe.shunt_mohm": 0.25, "outputs.charge": 17, "outputs.discharge": 27,
    "parameters.charge_ocp_a": 100, "parameters.discharge_ocp_a": 150,
}  # fmt: skip
SETS = [word for key, value in MUSTS.items() for word in ("--set", f"{key}={value}")]
TYPED = """
bq76952 lifepo4 40 16 280 _ _ back _ _ 0,25 0.25 _ _ split _
17 17 _ 22 23 _ 12 back 12 _ none none none none 1 24 _
none /dev/serial0 _ 500 _ 100 150
"""
DIALOGUE = "".join(f"{word.strip('_')}\n" for word in TYPED.split())


class Terminal(StringIO):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(capsys, monkeypatch):
    def run(*words: str, typed: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", StringIO() if typed is None else Terminal(typed))
        try:
            code = main(["setup", *words])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def talk(typed: str, answers: dict | None = None) -> tuple[dict, str]:
    """Answer the questions; give the answers and what was said."""
    said = StringIO()
    found = Dialogue(Console(said), StringIO(typed).readline).ask_all(answers or {})
    return found, said.getvalue()


def flat(path: Path) -> dict[str, object]:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {f"{section}.{key}": value for section, table in document.items() for key, value in table.items()}


def test_every_question_has_a_row_and_every_key_without_default_a_question() -> None:
    assert all(row_of(question.key) for question in QUESTIONS)
    asked = {question.key for question in QUESTIONS}
    assert {f"{row.section}.{row.name}" for row in KEYS if row.required is MUST} <= asked


def test_the_default_place_is_the_daemon_s() -> None:
    for command in ("setup", "doctor"):
        assert parser().parse_args([command]).config == str(DEFAULT_PATH)


def test_suggested_lines_are_pulled_down_and_differ() -> None:
    topologies = {
        name: [q.free for q in QUESTIONS if q.free is not None and q.when({"switches.topology": name})]
        for name in CONTACTORS
    }
    assert {name: len(set(lines)) for name, lines in topologies.items()} == {
        "split": 8,
        "common": 6,
        "afe": 4,
    }
    assert all(len(lines) == len(set(lines)) for lines in topologies.values())
    free = [line for lines in topologies.values() for line in lines]
    assert all(9 <= line <= 27 for line in free)
    # SPI 0, the UART, and the interrupts and the second SPI of the usual CAN and RS485 boards.
    assert not set(free) & {7, 8, 9, 10, 11, 14, 15, 18, 19, 20, 21, 24, 25}


def test_a_whole_dialogue_gives_a_good_file(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    code, out, err = run("--config", str(path), typed=DIALOGUE + "yes\n")
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if len(line) > 110 and str(path) not in line] == []
    config = load(path)
    assert (config.chemistry, config.cells, config.capacity_mah) == ("lifepo4", 16, 280_000)
    assert config.outputs.lines == {
        "charge": 17, "discharge": 27, "precharge": 22, "heater": 23, "heartbeat": 12,
    }  # fmt: skip
    assert config.heater_mohm == 24_000
    assert config.can is None
    assert config.modbus is not None
    assert config.modbus.port == "/dev/serial0"
    assert config.chosen == {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}
    for text in ("pack.cells is 40, allowed is 3 to 16", "write a point", "outputs.charge", "at full pack voltage",
                 "modbus.unit is 500", "bmsctl doctor", "systemctl start bmsd", "systemctl disable bmsd"):  # fmt: skip
        assert text in out


SAFE = {key: question.lost for question in QUESTIONS if (key := question.key) and question.lost}


class ByPrompt:
    """Answers a question by its key; whatever it does not know gets an empty line, a few times."""

    def __init__(self, talk: StringIO, answers: dict[str, list[str]]) -> None:
        self.talk, self.patience = talk, 200
        self.answers = {key: [*typed] for key, typed in answers.items()}

    def __call__(self) -> str:
        self.patience -= 1
        if self.patience < 0:
            return ""
        key = self.talk.getvalue().splitlines()[-1].split(" [")[0].rstrip(": ")
        left = self.answers.get(key, [])
        return f"{left.pop(0) if left else ''}\n"


def asked_with(answers: dict[str, list[str]]) -> tuple[dict[str, object], str]:
    talk = StringIO()
    given = {key: [str(value)] for key, value in MUSTS.items() if not key.startswith("outputs.")}
    read = ByPrompt(talk, {"switches.topology": ["split"], **given, **answers})
    try:
        return Dialogue(Console(talk), read).ask_all({}), talk.getvalue()
    except EndOfAnswersError:
        return {}, talk.getvalue()


def test_enter_never_leaves_out_what_keeps_the_pack_safe() -> None:
    """S5: an installer who only presses Enter is told what is lost and asked again, and gets no file."""
    assert {"outputs.heartbeat", "outputs.precharge", "outputs.charge_feedback", "outputs.main_feedback"} <= {
        *SAFE
    }
    answers, out = asked_with({})
    assert answers == {}
    assert "capacitors" in out
    assert "none once more" in " ".join(out.split())


@pytest.mark.parametrize("key", [key for key in SAFE if "main" not in key])
def test_who_does_without_says_so_twice_and_has_read_what_is_lost(key) -> None:
    lines = {"outputs.precharge": ["22"], "outputs.heartbeat": ["26"], "outputs.charge_feedback": ["12"],
             "outputs.discharge_feedback": ["13"]}  # fmt: skip
    once, out = asked_with({**lines, key: ["none"]})
    assert once == {}, "asked again"
    assert SAFE[key].split(":")[0] in " ".join(out.split())
    twice, _ = asked_with({**lines, key: ["", "none", "none"]})
    assert twice[key] is None
    later, _ = asked_with({**lines, key: ["none", *lines[key]]})
    assert later[key] == int(lines[key][0])


@pytest.mark.parametrize("chip", usable())
@pytest.mark.parametrize("topology", CONTACTORS)
def test_whatever_enter_takes_is_accepted_where_it_is_offered(chip, topology) -> None:
    """No dead end: an offer that is refused would be offered again without end."""
    answers, out = asked_with({
        "afe.chip": [chip], "pack.cells": [str(CHIPS[chip].max_cells)], "switches.topology": [topology],
        "outputs.heater": ["23"], "heater.resistance_ohm": ["60"], "can.protocol": ["victron"],
        "modbus.port": ["/dev/ttyAMA0"], **{key: ["none", "none"] for key in SAFE},
    })  # fmt: skip
    assert answers, out[-400:]
    assert answers["heater.supply"] == ("charger" if topology == "split" else "pack")
    assert problems(answers) == []


def test_the_cells_follow_the_chip() -> None:
    answers, out = asked_with(
        {"afe.chip": ["bq76942"], "pack.cells": ["12", "10"], **{k: ["none", "none"] for k in SAFE}}
    )
    assert answers["pack.cells"] == 10
    assert "Allowed: 3 to 10." in out
    assert "'back' to change an earlier one" in out


def test_no_advice_is_looked_for_on_what_will_still_be_asked(monkeypatch) -> None:
    """It takes hundreds of trials on the chip's driver, at every answer, and nobody reads it."""

    def looked_for(*_: object) -> None:
        raise AssertionError("advice on a parameter that is only missing yet")

    monkeypatch.setattr("bmsd.config.advice.accepted", looked_for)
    answers = {key: value for key, value in MUSTS.items() if not key.startswith("parameters.")}
    assert problems(answers) == []
    assert problems({**answers, "parameters.charge_ocp_a": 9000})[0].startswith("charge_ocp_a is 9000")


def test_a_line_that_is_offered_is_used_by_nothing_else() -> None:
    _, out = asked_with(
        {"outputs.charge": ["22"], "outputs.discharge": ["26"], "outputs.precharge": ["none", "none"]}
    )
    assert "GPIO 22 is a good one" not in out.split("outputs.charge")[-1]


def test_the_file_says_what_is_lost(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    assert run("--config", str(path), "--yes", *SETS)[0] == 0
    text = path.read_text().replace("\n# ", " ")
    for lost in {lost for key, lost in SAFE.items() if "main" not in key}:
        assert lost in text


@pytest.mark.parametrize("answer", ["no", "", "y e s", "Yes please", "ja"])
def test_without_a_yes_nothing_is_written(run, tmp_path, answer) -> None:
    path = tmp_path / "bmsd.toml"
    code, _, err = run("--config", str(path), typed=f"{DIALOGUE}{answer}\n")
    assert code == 1
    assert "nothing was written" in err
    assert not list(tmp_path.iterdir())


def test_the_input_may_end_anywhere(run, tmp_path) -> None:
    lines = f"{DIALOGUE}".splitlines(keepends=True)
    for count in range(0, len(lines) + 1, 3 if effort.EVERYTHING else 11):
        code, _, err = run("--config", str(tmp_path / "bmsd.toml"), typed="".join(lines[:count]))
        assert code == 1
        assert "nothing was written" in err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_writes_nothing(run, tmp_path, monkeypatch) -> None:
    def interrupted(self, given):
        raise KeyboardInterrupt

    monkeypatch.setattr(Dialogue, "ask_all", interrupted)
    code, _, err = run("--config", str(tmp_path / "bmsd.toml"), typed="")
    assert code == 130
    assert "nothing was written" in err
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_it_says_what_to_do(run, tmp_path) -> None:
    code, out, err = run("--config", str(tmp_path / "bmsd.toml"), *SETS)
    assert (code, out) == (2, "")
    assert "--yes" in err


def test_what_is_missing_is_told_at_once(run, tmp_path) -> None:
    code, _, err = run("--config", str(tmp_path / "bmsd.toml"), "--yes", "--set", "pack.cells=8")
    assert code == 2
    for key in MUSTS:
        assert (f"--set {key}:" in err) is (key != "pack.cells")
    assert not list(tmp_path.iterdir())


def test_by_answers_alone(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    code, out, err = run("--config", str(path), "--yes", *SETS, "--set", "parameters.cell_ovp_v=3.55")
    assert (code, err) == (0, "")
    assert "doctor" in out
    config = load(path)
    assert config.parameters.cell_ovp_mv == 3550
    assert config.can is None
    assert config.modbus is None
    assert flat(path).items() >= MUSTS.items()


@pytest.mark.parametrize("chemistry", CHEMISTRIES)
@pytest.mark.parametrize("preset", ["default", "jk-compatible"])
def test_every_chemistry(run, tmp_path, chemistry, preset) -> None:
    path = tmp_path / "bmsd.toml"
    more = ["--set", f"pack.chemistry={chemistry}", "--set", f"pack.preset={preset}"]
    code, _, err = run("--config", str(path), "--yes", *SETS[:2], *SETS[4:], *more)
    assert (code, err) == (0, "")
    assert (load(path).chemistry, load(path).preset) == (chemistry, preset)


@pytest.mark.parametrize(
    ("word", "told"),
    [("pack.cells", "is not KEY=VALUE"), ("pack.cels=16", "did you mean pack.cells"), ("pack.cells=16S", "whole"),
     ("pack.cells=33", "allowed is 3 to 16"), ("pack.chemistry=lfp", "one of"), ("afe.crc=maybe", "yes nor no"),
     ("cells=16", "no key cells"), ("parameters.cell_opv_v=3", "parameters.cell_ovp_v"), ("afe.chip=bq1", "not known"),
     ("outputs.charge=none", "whole number"), ("afe.shunt_mohm=nan", "allowed is"), ("pack.capacity_ah=inf", "allowed"),
     ("modbus.port=\udcff", "printed"), ("parameters.charge_ocp_a=0.5", "allowed 1.000 A"),
     ("heater.resistance_ohm=0", "allowed is 0.1")],
)  # fmt: skip
def test_a_wrong_word_is_wrong_usage(run, tmp_path, word, told) -> None:
    code, _, err = run("--config", str(tmp_path / "bmsd.toml"), "--yes", "--set", word)
    assert code == 2
    assert told in err.encode("utf-8", "replace").decode()
    assert not list(tmp_path.iterdir())


def test_answers_that_contradict_each_other_are_refused(run, tmp_path) -> None:
    where = ["--config", str(tmp_path / "bmsd.toml"), "--yes", *SETS]
    for words, told in (
        (["outputs.buzzer=17"], "outputs.charge"),
        (["can.protocol=none", "can.channel=can1"], "says that there is none"),
        (["parameters.cell_ovp_v=3.0"], "must be at least"),
    ):
        code, _, err = run(*where, *(part for word in words for part in ("--set", word)))
        assert code == 2
        assert told in err
    assert not list(tmp_path.iterdir())


def test_limits_the_chip_cannot_do_are_refused_with_what_it_can(run, tmp_path) -> None:
    sets = [word.replace("0.25", "9") for word in SETS]
    code, _, err = run("--config", str(tmp_path / "bmsd.toml"), "--yes", *sets)
    assert code == 2
    assert "does not fit bq76952" in err
    assert "Take at most 7.348 A, or fit a shunt" in err
    assert not list(tmp_path.iterdir())


def test_a_drop_in_beside_it_is_checked_with_it(run, tmp_path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a.toml").write_text("[pack]\ncells = 99\n")
    path = tmp_path / "bmsd.toml"
    code, _, err = run("--config", str(path), typed=DIALOGUE + "yes\n")
    assert code == 1
    assert f"{tmp_path}/conf.d/a.toml, line 2: pack.cells is 99" in err
    assert "bmsctl setup --set afe.chip=bq76952" in err, "the work of answering is not lost"
    assert not path.exists()


def test_an_old_file_is_never_lost(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    path.write_text("mine")
    where = ["--config", str(path), "--yes", *SETS]
    code, _, err = run(*where)
    assert code == 1
    assert "--replace" in err
    assert path.read_text() == "mine"
    for _ in range(3):
        code, out, _ = run(*where, "--replace")
        assert code == 0
        assert "opens the contactors" in " ".join(out.split())
    kept = [file for file in tmp_path.iterdir() if file != path]
    assert len(kept) == 3
    assert sum(file.read_text() == "mine" for file in kept) == 1
    assert not list(tmp_path.glob("*.toml*.toml")), "a copy must not be read as a drop-in"


def test_a_failed_write_leaves_the_old_file(run, tmp_path, monkeypatch) -> None:
    path = tmp_path / "bmsd.toml"
    path.write_text("mine")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(setup_file.os, "fsync", full)
    code, _, err = run("--config", str(path), "--yes", "--replace", *SETS)
    assert code == 1
    assert "No space left" in err
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"bmsd.toml": "mine"}


def test_who_may_read_it(run, tmp_path, monkeypatch) -> None:
    path = tmp_path / "bmsd.toml"
    monkeypatch.setattr(setup_file, "GROUP", "there-is-no-such-group")
    run("--config", str(path), "--yes", *SETS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    own = setup_file.grp.getgrgid(os.getgid()).gr_name
    monkeypatch.setattr(setup_file, "GROUP", own)
    run("--config", str(path), "--yes", "--replace", *SETS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_gid == os.getgid()


def test_where_nobody_can_write_it_says_so_before_asking(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(setup_file.os, "access", lambda *_: False)
    code, out, err = run("--config", str(tmp_path / "bmsd.toml"), typed="")
    assert (code, out) == (1, "")
    assert "sudo" in err
    monkeypatch.undo()
    for path, told in ((tmp_path, "is a directory"), (tmp_path / "no" / "bmsd.toml", "no directory")):
        monkeypatch.setattr("sys.stdin", Terminal(""))
        assert main(["setup", "--config", str(path)]) == 1
        assert told in setup_file.blocked(path)


def test_a_dry_run_prints_the_file_and_nothing_else(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    for code, out, err in (
        run("--config", str(path), "--yes", "--dry-run", *SETS),
        run("--config", str(path), "--dry-run", typed=DIALOGUE),
    ):
        assert code == 0
        assert tomllib.loads(out)["pack"]["cells"] == 16
        assert "[pack]" not in err
    assert not list(tmp_path.iterdir())


def test_a_common_contactor_is_asked_for_in_its_topology_only(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    given = [word for word in SETS if not word.startswith(("outputs.charge", "outputs.discharge"))]
    given = [
        word
        for word, after in zip(given, [*given[1:], ""], strict=True)
        if (word, after) != ("--set", "--set")
    ]
    code, _, err = run("--config", str(path), "--yes", *given, "--set", "switches.topology=common")
    assert code == 2
    assert "--set outputs.main:" in err
    assert "outputs.charge" not in err
    more = ["--set", "switches.topology=common", "--set", "outputs.main=17"]
    code, _, err = run("--config", str(path), "--yes", *given, *more)
    assert (code, err) == (0, "")
    config = load(path)
    assert (config.topology, set(config.outputs.lines)) == ("common", {"main"})


def test_the_chips_own_fets_are_asked_for_no_line(run, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    values = [word for word in SETS if word != "--set" and not word.startswith("outputs.")]
    given = [part for word in values for part in ("--set", word)]
    code, _, err = run("--config", str(path), "--yes", *given, "--set", "switches.topology=afe")
    assert (code, err) == (0, "")
    config = load(path)
    assert (config.topology, dict(config.outputs.lines)) == ("afe", {})
    assert config.fets is not None


def test_given_answers_are_not_asked() -> None:
    _, said = talk("\n" * 30, by_default(MUSTS)[0])
    assert said == ""
    some = {
        key: value for key, value in by_default(MUSTS)[0].items() if key not in {"pack.cells", "pack.preset"}
    }
    answers, said = talk("8\n\n", some)
    assert answers["pack.cells"] == 8
    assert "pack.chemistry" not in said


def test_a_line_that_is_pulled_up_is_warned_of() -> None:
    some = {key: value for key, value in by_default(MUSTS)[0].items() if key != "outputs.charge"}
    answers, said = talk("5\n17\n", some)
    assert "GPIO 5: a Raspberry Pi pulls it up at power-up" in " ".join(said.split())
    assert answers["outputs.charge"] == 17, "an output on such a line is refused, and asked for again"
    assert "up at power-up" not in talk("17\n", some)[1]
    some = {key: value for key, value in by_default(MUSTS)[0].items() if key != "outputs.charge_feedback"}
    assert "reads closed" in " ".join(talk("5\n", some)[1].split())
    assert "Mind" not in talk("none\nnone\n", some)[1]
    some = {key: value for key, value in by_default(MUSTS)[0].items() if key not in {"pack.cells", "afe.bus"}}
    assert "Mind" not in talk("8\n1\n", some)[1], "what is no line"


def test_back_takes_back_what_hangs_on_the_answer() -> None:
    some = {key: value for key, value in by_default(MUSTS)[0].items() if key != "outputs.heater"}
    answers, _ = talk("23\nback\nnone\n", some)
    assert answers["outputs.heater"] is None
    assert not [key for key in answers if key.startswith("heater.")]
    with pytest.raises(EndOfAnswersError):
        talk("back\n" * 5)


LINES = st.lists(st.integers(9, 1000), min_size=8, max_size=8, unique=True)
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Co", "Cn", "Cf")), min_size=1)


def carried(chemistry: str, cells: int) -> list[str]:
    """List the protocols that can say what such a pack is charged to."""
    cell_mv = parameters.defaults(chemistry, "default", cells, {})["cell_charge_mv"]
    assert cell_mv
    return [name for name in sorted(PROTOCOLS) if not voltage_problems(name, cell_mv * cells)]


@st.composite
def good_answers(draw: st.DrawFn) -> dict[str, object]:
    """Make answers that fit each other."""
    chip = draw(st.sampled_from(sorted(usable())))
    lines = draw(LINES)
    chemistry = draw(st.sampled_from(sorted(CHEMISTRIES)))
    cells = draw(st.integers(CHIPS[chip].min_cells, CHIPS[chip].max_cells))
    answers: dict[str, object] = {
        **MUSTS, "afe.chip": chip, "pack.chemistry": chemistry, "pack.cells": cells,
        "pack.capacity_ah": draw(st.floats(1, 5000)), "afe.address": draw(st.integers(3, 0x77)),
        "afe.switch_sensor": draw(st.booleans()), "outputs.charge": lines[0], "outputs.discharge": lines[1],
        "modbus.port": draw(st.none() | TEXT),
        "can.protocol": draw(st.sampled_from([None, *carried(chemistry, cells)])),
    }  # fmt: skip
    for name, line in zip(("precharge", "buzzer", "heartbeat", "charge_feedback"), lines[2:], strict=False):
        answers[f"outputs.{name}"] = draw(st.none() | st.just(line))
    if draw(st.booleans()):
        answers |= {"outputs.heater": lines[7], "heater.resistance_ohm": draw(st.floats(30, 100))}
    if answers["can.protocol"]:
        answers["can.channel"] = draw(TEXT)
    return by_default(answers)[0]


@given(answers=good_answers())
@settings(
    deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_loads_and_says_what_was_answered(answers, tmp_path) -> None:
    path = tmp_path / "bmsd.toml"
    text = setup_file.text_of(answers, path)
    assert problems(answers) == []
    assert setup_file.check(text, path) == []
    path.write_text(text, encoding="utf-8")
    assert flat(path) == {key: value for key, value in answers.items() if value is not None}
    assert "\n[" in text
    for section in tomllib.loads(text):
        assert f"\n[{section}]\n# " in text, "every section says what it is"


def test_what_contradicts_outside_the_questions_is_told_as_well() -> None:
    """Keys that are given in words are judged by every check that the file is judged by."""
    (wrong,) = problems({"modbus.port": "/dev/ttyAMA0", "meter.port": "/dev/ttyAMA0"})
    assert "only one can be the master" in wrong


@given(text=st.text(st.characters(blacklist_categories=("Cs",))))
def test_any_text_is_written_so_that_it_reads_back(text) -> None:
    assert tomllib.loads(f"a = {setup_file.toml(text)}") == {"a": text}


@pytest.mark.parametrize("text", ['COM"1"', "a\\b", "tab\tin", "Ω/µ", "#no comment", "'''", "\x7f"])
def test_awkward_texts(text) -> None:
    assert tomllib.loads(f"a = {setup_file.toml(text)}") == {"a": text}


def test_a_typed_value_is_what_the_file_says() -> None:
    found = assignments(
        ["afe.address=0x18", "afe.crc=no", "modbus.maps=bmsd", "can.tseg1=13", "outputs.buzzer=none"]
    )
    assert found == {"afe.address": 24, "afe.crc": False, "modbus.maps": ["bmsd"], "can.tseg1": 13,
                     "outputs.buzzer": None}  # fmt: skip
    assert "address = 0x18" in setup_file.text_of(found, Path("x"))
    assert may_be_none("outputs.buzzer")
    assert not may_be_none("outputs.charge")
    assert check_keys(Path("x"), Files(), []) != {}
