"""Configurations that are complete and dangerous: refused with a helpful line each, all at once, or on purpose."""

from __future__ import annotations

import pytest

from bmsd.config.load import load
from bmsd.daemon.main import EXIT_CONFIG, EXIT_GOOD, main
from bmsd.daemon.request_handler import RequestHandler
from bmsd.errors import ParameterError
from tests.support.configured import GOOD, loaded, pack_text, problems, written

SPLIT = "[outputs]\ncharge = 17\ndischarge = 27\n"
COMMON = '[switches]\ntopology = "common"\n[outputs]\nmain = 17\n'
HEATER = "[heater]\nresistance_ohm = 24.0\n"
CAN = '[can]\nchannel = "can0"\n'

# Parameters of a LiFePO4 pack, and what the one line must say.
DANGERS = (
    ({"cell_ovp_v": 4.35}, ("cell_ovp_v", "4.350 V", "3.650 V", 'i_know = ["cell_ovp_v"]')),
    ({"cell_ovp_v": 3.651}, ("cell_ovp_v", "3.651 V", "3.650 V")),
    ({"charge_utp_c": -40, "charge_utpr_c": 5}, ("charge_utp_c", "-40.0 °C", "0.0 °C", "i_know")),
    ({"charge_utp_c": -0.1}, ("charge_utp_c", "-0.1 °C")),
    ({"cell_floor_v": 1.0}, ("cell_floor_v", "1.000 V", "2.000 V")),
    ({"charge_otp_c": 80, "charge_otpr_c": 50}, ("charge_otp_c", "80.0 °C", "60.0 °C")),
    ({"forbidden_charge_a": 58}, ("forbidden_charge_a", "58.000 A", "5.000 A")),
    ({"forbidden_discharge_a": 58}, ("forbidden_discharge_a", "58.000 A", "7.500 A")),
    ({"limit_tolerance_a": 90}, ("limit_tolerance_a", "90.000 A", "15.000 A")),
    ({"weld_current_a": 50}, ("weld_current_a", "50.000 A", "15.000 A")),
    ({"charge_ocp2_a": 900}, ("charge_ocp2_a", "900.000 A", "300.000 A")),
    ({"cell_uvpr_v": 3.45, "cell_ovpr_v": 3.5}, ("cell_uvpr_v", "cell_charge_v", "discharging returns")),
    ({"pack_ovp_v": 54.0, "pack_ovpr_v": 53.0}, ("cell_charge_v", "pack_ovp_v", "every charge")),
    ({"discharge_utp_c": 10, "discharge_utpr_c": 20}, ("discharge_utpr_c", "charge_utpr_c", "heat would end")),
    ({"charge_max_a": 0}, ("charge_max_a is 0", "never serve")),
    ({"discharge_max_a": 0}, ("discharge_max_a is 0", "never serve")),
)  # fmt: skip


@pytest.mark.parametrize(("chosen", "words"), DANGERS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize(
    "sections", [SPLIT, COMMON, '[switches]\ntopology = "afe"\n'], ids=["split", "common", "afe"]
)
def test_a_dangerous_parameter_is_refused_with_its_limit_and_what_to_do(
    tmp_path, sections, chosen, words
) -> None:
    """S8: whatever the topology; the line says the key, the value, the limit and the way out."""
    path = written(tmp_path, pack_text(sections, **chosen))
    lines = [text for text in problems(path) if all(word in text for word in words)]
    assert len(lines) == 1, problems(path)
    assert main(["--config", str(path), "--check-config"]) == EXIT_CONFIG


def test_all_dangers_are_told_at_once(tmp_path) -> None:
    text = pack_text(
        SPLIT.replace("17", "2") + HEATER,
        cell_ovp_v=4.35,
        charge_utp_c=-40,
        charge_utpr_c=-30,
        forbidden_charge_a=58,
    )
    found = "\n".join(problems(written(tmp_path, text)))
    for word in (
        "outputs.charge is GPIO 2",
        "outputs.heater",
        "cell_ovp_v",
        "charge_utp_c",
        "forbidden_charge_a",
    ):
        assert word in found, found


def test_on_purpose_is_accepted_up_to_the_last(tmp_path) -> None:
    """S8: somebody has cells that may be charged in frost, and says so in the file."""
    knowing = pack_text(
        SPLIT, charge_utp_c=-10, charge_utpr_c=-5, discharge_utp_c=-30, discharge_utpr_c=-12
    ).replace("cells = 16", 'cells = 16\ni_know = ["charge_utp_c"]')
    config = loaded(tmp_path, knowing)
    assert config.parameters.charge_utp_decic == -100
    (found,) = problems(written(tmp_path, knowing.replace("charge_utp_c = -10", "charge_utp_c = -20.1")))
    assert "charge_utp_c (-20.1 °C)" in found
    assert "i_know" not in found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('i_know = ["cell_opv_v"]', ("pack.i_know", "'cell_opv_v'", "did you mean cell_ovp_v")),
        ('i_know = ["everything"]', ("pack.i_know", "'everything'", "known are")),
        ("i_know = [4]", ("pack.i_know", "4")),
        ("i_know = true", ("pack.i_know", "True", "a list of texts")),
    ],
)
def test_a_word_that_frees_nothing_is_told(tmp_path, line, words) -> None:
    path = written(tmp_path, pack_text(SPLIT).replace("cells = 16", f"cells = 16\n{line}"))
    (found,) = problems(path)
    for word in words:
        assert word in found, found


# Sections, the line's key, and what the one problem must say.
LINES = (
    ("[outputs]\ncharge = 2\ndischarge = 27\n", "charge", ("GPIO 2", "I2C bus 1")),
    ("[outputs]\ncharge = 17\ndischarge = 3\n", "discharge", ("GPIO 3", "I2C bus 1")),
    ("[outputs]\ncharge = 17\ndischarge = 27\ncharge_feedback = 2\n", "charge_feedback", ("GPIO 2", "I2C bus 1")),
    ("[outputs]\ncharge = 17\ndischarge = 27\nbutton = 3\n", "button", ("GPIO 3", "I2C bus 1")),
    *(
        (f"[outputs]\ncharge = 17\ndischarge = {line}\n", "discharge", (f"GPIO {line}", "power-up", "i_know"))
        for line in (4, 5, 6, 7, 8)
    ),
    (f"{SPLIT}heater = 5\n{HEATER}", "heater", ("GPIO 5", "power-up")),
    (f"{SPLIT}precharge = 6\n", "precharge", ("GPIO 6", "power-up")),
    (f"{COMMON.replace('17', '4')}", "main", ("GPIO 4", "power-up")),
    (f"{SPLIT}heater = 25\n{HEATER}{CAN}", "heater", ("GPIO 25", "interrupt", "CAN", "i_know")),
    (f"{SPLIT}heater = 10\n{HEATER}{CAN}", "heater", ("GPIO 10", "SPI")),
    (f"{SPLIT}precharge = 14\n[modbus]\nport = \"/dev/ttyAMA0\"\n", "precharge", ("GPIO 14", "/dev/ttyAMA0")),
    (f"{SPLIT}precharge = 15\n[meter]\nport = \"/dev/serial0\"\ndevices = {{ 1 = \"sdm120\" }}\n", "precharge",
     ("GPIO 15", "/dev/serial0")),
    (f"{SPLIT}[modbus]\nport = \"/dev/ttyAMA0\"\ndirection = \"kernel\"\n", "charge", ("GPIO 17", "handshake")),
    (f"{SPLIT}heater = 24\n{HEATER}[modbus]\nport = \"/dev/ttySC0\"\n", "heater", ("GPIO 24", "interrupt")),
)  # fmt: skip


@pytest.mark.parametrize(("sections", "key", "words"), LINES, ids=[f"{row[1]}-{row[2][0]}" for row in LINES])
def test_a_line_that_is_on_at_power_up_or_anothers_is_refused(tmp_path, sections, key, words) -> None:
    """S5: at its place, with the reason and the lines that are free."""
    path = written(tmp_path, pack_text(sections))
    (found,) = problems(path)
    assert found.startswith(f"{path}, line ")
    for word in (f"outputs.{key} is ", *words, "17, 27, 22, 23, 16, 26, 12, 13"):
        assert word in found, found
    switching_nothing = load(path, dangers=False)
    assert key in switching_nothing.outputs.keys, "safe-off and the links have to be able to read it"


@pytest.mark.parametrize(("sections", "key", "words"), LINES, ids=[f"{row[1]}-{row[2][0]}" for row in LINES])
def test_a_line_may_be_known_to_be_free_unless_it_cannot_be(tmp_path, sections, key, words) -> None:
    known = sections.replace("[outputs]\n", f'[outputs]\ni_know = ["{key}"]\n')
    path = written(tmp_path, pack_text(known))
    if "i_know" in words or not {"I2C bus 1", "/dev/ttyAMA0", "/dev/serial0"} & {*words}:
        assert main(["--config", str(path), "--check-config"]) == EXIT_GOOD
    else:
        assert problems(path)


@pytest.mark.parametrize("line", [9, 12, 13, 16, 18, 19, 20, 21, 24, 25, 26])
def test_a_line_that_is_pulled_down_and_nobodys_is_good(tmp_path, line) -> None:
    assert loaded(tmp_path, pack_text(f"{SPLIT}precharge = {line}\n")).outputs.lines["precharge"] == line


def test_inputs_may_be_pulled_up_and_active_low_outputs_are_off_there(tmp_path) -> None:
    assert loaded(tmp_path, pack_text(f"{SPLIT}charge_feedback = 5\n"))
    assert loaded(tmp_path, pack_text(f"{SPLIT}precharge = 5\nactive_low = true\n"))


def test_another_chip_has_other_lines(tmp_path) -> None:
    elsewhere = SPLIT.replace("17", "2").replace("[outputs]\n", '[outputs]\ngpio_chip = "{}"\n')
    assert loaded(tmp_path, pack_text(elsewhere.format("mcp23017")))
    for header in ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835", "/dev/gpiochip0", "/dev/gpiochip4"):
        (found,) = problems(written(tmp_path, pack_text(elsewhere.format(header))))
        assert "outputs.charge is GPIO 2" in found
    (found,) = problems(
        written(
            tmp_path,
            pack_text(elsewhere.format("mcp23017").replace("[outputs]", '[outputs]\nbackend = "gpiozero"')),
        )
    )
    assert "outputs.charge is GPIO 2" in found, "gpiozero knows the header only"


def test_an_unknown_line_word_is_told(tmp_path) -> None:
    (found,) = problems(written(tmp_path, pack_text(f'{SPLIT}i_know = ["heatr"]\n')))
    assert "outputs.i_know has 'heatr'; did you mean heater?" in found


def test_a_write_at_run_time_is_held_to_the_same(tmp_path) -> None:
    """S8: and changes nothing; what the file knows, a write may use."""
    text = GOOD.replace("cells = 16", 'cells = 16\ni_know = ["cell_ovp_v"]')
    plain, knowing = RequestHandler(loaded(tmp_path, GOOD), {}), RequestHandler(loaded(tmp_path, text), {})
    for values in ({"charge_utp_decic": -50}, {"forbidden_charge_ma": 58_000}, {"cell_ovp_mv": 3651}):
        with pytest.raises(ParameterError, match="Take at"):
            plain._set(values, "a test", 0)
    assert plain.changed == {}
    knowing._set({"cell_ovp_mv": 3651}, "a test", 0)
    assert knowing.parameters.cell_ovp_mv == 3651
    with pytest.raises(ParameterError):
        RequestHandler(loaded(tmp_path, GOOD), {"charge_utp_decic": -50})
