"""bmsctl params, switch, reset and sim: what is asked, what is refused, and the exit codes."""

from __future__ import annotations

import json

import pytest

from bmsd.tables.parameters import ROWS


def test_params_list_has_every_parameter_in_one_line(runtime) -> None:
    runtime.parameters(cell_ovp_mv=3550)
    code, out, _ = runtime.run("params")
    assert code == 0
    assert out == runtime.run("params", "list")[1]
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert {row.public_name for row in ROWS} <= lines.keys()
    assert lines["cell_ovp_v"].split() == [
        "cell_ovp_v",
        "3.55",
        "V",
        "1.2",
        "to",
        "4.35",
        "configured",
        "3.6",
    ]
    assert "configured" not in lines["cell_uvp_v"]
    assert "19.2 to 69.6" in lines["pack_ovp_v"], "the range of the whole pack"


def test_params_as_json(runtime) -> None:
    runtime.parameters(cell_ovp_mv=3550)
    for words in (("params", "--json"), ("params", "list", "--json")):
        document = json.loads(runtime.run(*words)[1])
        assert (document["chemistry"], document["cells"]) == ("lifepo4", 16)
        about = document["parameters"]["cell_ovp_v"]
        assert (about["value"], about["configured"], about["low"], about["high"]) == (3.55, 3.6, 1.2, 4.35)
    assert json.loads(runtime.run("params", "get", "cell_ovp_v", "--json")[1])["value"] == 3.55


def test_params_get_explains(runtime) -> None:
    code, out, _ = runtime.run("params", "get", "charge_utp_c")
    assert code == 0
    for part in ("charge_utp_c = 0 °C", "Charge low temperature", "Allowed: -40 to 20 °C", "Configured: 0.",
                 "Must be at least 2 °C below charge_utpr_c (now 5 °C)"):  # fmt: skip
        assert part in out


def test_an_unknown_parameter_suggests_the_nearest(runtime, answering) -> None:
    for words in (["get", "cell_opv_v"], ["set", "cell_opv_v=3.5"]):
        code, _, err = runtime.run("params", *words)
        assert code == 2
        assert "did you mean cell_ovp_v" in err
    assert answering.asked == []


@pytest.mark.parametrize(
    "words",
    [["cell_ovp_v"], ["=3.5"], ["cell_ovp_v="], ["cell_ovp_v=3.5V"], ["cell_ovp_v=nan"], ["cell_ovp_v=inf"],
     ["cell_ovp_v=1e300"], ["cell_ovp_v=3.5", "cell_ovp_v=3.6"], []],
)  # fmt: skip
def test_a_wrong_assignment_asks_nothing(runtime, answering, words) -> None:
    assert runtime.run("params", "set", *words)[0] == 2
    assert answering.asked == []


def test_params_set_is_one_request(runtime, answering) -> None:
    answering.reply = {"ok": True, "changed": ["cell_ovp_mv", "cell_ovpr_mv"]}
    answering.then = lambda: runtime.parameters(cell_ovp_mv=3550, cell_ovpr_mv=3350)
    code, out, _ = runtime.run("params", "set", "cell_ovpr_v=3.35", "cell_ovp_v=3.55")
    assert code == 0
    assert answering.asked == [{"do": "set", "values": {"cell_ovpr_mv": 3350, "cell_ovp_mv": 3550}}]
    assert out == "cell_ovp_v: 3.6 -> 3.55 V\ncell_ovpr_v: 3.4 -> 3.35 V\n"


def test_params_preset_and_reset(runtime, answering) -> None:
    answering.reply = {"ok": True, "changed": ["charge_otp_decic"]}
    answering.then = lambda: runtime.parameters(charge_otp_decic=600)
    code, out, _ = runtime.run("params", "preset", "jk-compatible", "--json")
    assert code == 0
    assert json.loads(out) == {"ok": True, "changed": {"charge_otp_c": {"from": 55.0, "to": 60.0}}}
    answering.reply, answering.then = {"ok": True, "changed": []}, lambda: None
    assert runtime.run("params", "reset")[:2] == (0, "nothing changed\n")
    assert answering.asked == [{"do": "preset", "name": "jk-compatible"}, {"do": "unset"}]


@pytest.mark.parametrize(
    ("state", "said"), [("sleeping", "the pack wakes\n"), ("idle", "the pack was not asleep\n")]
)
def test_wake_says_whether_there_was_anybody_to_wake(runtime, answering, state, said) -> None:
    runtime.publish(state=state)
    assert runtime.run("wake")[:2] == (0, said)
    assert answering.asked == [{"do": "wake"}]


REQUESTS = [
    (["switch", "charge", "off"], {"do": "switch", "name": "charge", "on": False}),
    (["switch", "balance", "on"], {"do": "switch", "name": "balance", "on": True}),
    (["charge", "full", "on"], {"do": "charge", "name": "full", "on": True}),
    (["charge", "force", "off"], {"do": "charge", "name": "force", "on": False}),
    (["reset", "cell_floor"], {"do": "reset", "alarm": "cell_floor"}),
    (["emergency", "on", "--yes"], {"do": "emergency", "on": True}),
    (["emergency", "off"], {"do": "emergency", "on": False}),
    (["factory-reset", "--yes"], {"do": "factory-reset"}),
    (["params", "set", "charge_utp_c=-5"], {"do": "set", "values": {"charge_utp_decic": -50}}),
    (["sim", "set", "ambient_c=-12", "charger_a=40"], {"do": "sim", "set": {"ambient_c": -12.0, "charger_a": 40.0}}),
    (["sim", "cell", "7", "offset_mv=80"], {"do": "sim", "cell": 7, "values": {"offset_mv": 80.0}}),
    (["sim", "fault", "afe_nack", "on"], {"do": "sim", "fault": "afe_nack", "on": True, "cell": None}),
    (["sim", "fault", "cell_frozen", "off", "--cell", "3"],
     {"do": "sim", "fault": "cell_frozen", "on": False, "cell": 3}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "request_"), REQUESTS, ids=lambda w: " ".join(w) if isinstance(w, list) else ""
)
def test_requests(runtime, answering, words, request_) -> None:
    code, _, err = runtime.run(*words)
    assert (code, err) == (0, "")
    assert answering.asked == [request_]


@pytest.mark.parametrize("words", [words for words, _ in REQUESTS], ids=" ".join)
def test_a_refused_request_is_1_with_the_reason(runtime, answering, words) -> None:
    answering.reply = {"ok": False, "error": "not today"}
    code, _, err = runtime.run(*words)
    assert code == 1
    assert "refused: not today" in err


@pytest.mark.parametrize("words", [words for words, _ in REQUESTS], ids=" ".join)
def test_without_a_daemon_it_is_69(runtime, words) -> None:
    code, _, err = runtime.run(*words)
    assert code == 69
    assert "nobody listens" in err


@pytest.mark.parametrize(
    "words",
    [["switch", "heater", "on"], ["switch", "charge"], ["switch", "charge", "maybe"], ["charge"], ["charge", "full"],
     ["charge", "fast", "on"], ["reset"], ["reset", "cell_opv"],
     ["emergency"], ["emergency", "maybe"], ["factory-reset"],
     ["sim"], ["sim", "set"], ["sim", "set", "ambient_c"], ["sim", "cell", "x", "offset_mv=1"],
     ["sim", "fault", "afe_nack"], ["params", "preset", "mine"]],
)  # fmt: skip
def test_wrong_usage_asks_nothing(runtime, answering, words) -> None:
    assert runtime.run(*words)[0] == 2
    assert answering.asked == []


@pytest.mark.parametrize(("allowed", "told"), [(True, False), (False, True)])
def test_a_charge_that_is_not_allowed_says_so(runtime, answering, allowed, told) -> None:
    runtime.publish(charge_allowed=allowed)
    _, out, _ = runtime.run("charge", "force", "on")
    assert "12 hours at most" in " ".join(out.split())
    assert ("'bmsctl why charge' tells the reason" in " ".join(out.split())) is told


def test_reset_tells_whether_there_was_anything(runtime, answering) -> None:
    assert "was not active" in runtime.run("reset", "cell_floor")[1]
    runtime.publish(alarms=[runtime.alarm("cell_floor", latched=True)])
    assert "cell_floor is reset" in runtime.run("reset", "cell_floor")[1]


def test_sim_list(runtime, answering) -> None:
    answering.reply = {
        "ok": True,
        "settables": [{"name": "ambient_c", "unit": "°C", "help": "around", "low": -60.0, "high": 1e6},
                      {"name": "offset_mv", "unit": "mV", "help": "error", "low": -5, "high": 5, "cell": True}],
        "faults": [{"name": "cell_frozen", "help": "stands still " * 10}],
    }  # fmt: skip
    code, out, _ = runtime.run("sim", "list")
    assert code == 0
    assert "around; -60 to 1000000" in out
    assert (
        out.index("ambient_c") < out.index("sim cell N") < out.index("offset_mv") < out.index("cell_frozen")
    )


@pytest.mark.parametrize(("typed", "asks"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_a_factory_reset_asks_a_person(runtime, answering, monkeypatch, typed, asks) -> None:
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda _question: typed)
    code, out, _ = runtime.run("factory-reset")
    assert bool(answering.asked) is asks
    assert (code, "nothing was changed" in out) == ((0, False) if asks else (1, True))


@pytest.mark.parametrize(("typed", "asks"), [("y", True), ("yes", True), ("", False), ("n", False)])
def test_an_emergency_asks_a_person(runtime, answering, monkeypatch, typed, asks) -> None:
    """S10: what it lifts is said before it is lifted."""
    said: list[str] = []
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda question: said.append(question) or typed)
    code, out, _ = runtime.run("emergency", "on")
    assert bool(answering.asked) is asks
    assert (code, "stays off" in out) == ((0, False) if asks else (1, True))
    assert "under-voltage" in said[0]
    assert "30 minutes" in said[0]


def test_an_emergency_without_a_keyboard_needs_a_word(runtime, answering) -> None:
    code, _, err = runtime.run("emergency", "on")
    assert (code, answering.asked) == (2, [])
    assert "--yes" in err
    assert runtime.run("emergency", "off")[0] == 0, "the way back asks nobody"
