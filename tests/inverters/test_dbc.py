"""Our frames, read by cantools through the generated DBC files: a reader that is not ours has to agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmsd.inverters.frames import Coding, decode
from bmsd.inverters.protocols import PROTOCOLS, messages
from bmsd.inverters.view import view
from tests.inverters.packs import CONFIGURED, STATES, document

database = pytest.importorskip(
    "cantools.database", reason="cantools is missing: the DBC files were NOT checked"
)

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "generated" / "dbc"
EVERY = pytest.mark.parametrize("name", PROTOCOLS)
MANY = {
    **STATES,
    "full": document(soc_permille=1000, current_ma=400_000, battery_decic=[450, 600], charge_limit_ma=0),
    "frost": document(battery_decic=[-400, -390], soc_permille=0, current_ma=-200_000),
    "tripped": document(["cell_ovp", "charge_utp", "short_circuit", "cell_low", "cell_spread", "chip_fault"]),
}


def loaded(name: str):
    return database.load_file(FOLDER / f"{name}.dbc", strict=True)


def expected_of(frame, data: bytes) -> dict:
    """Give our reading of a frame as the file tells values: flags as numbers, unknown and texts left out."""
    ours = decode(frame, data)
    values = {signal.name: ours[signal.name] for signal in frame.signals if ours[signal.name] is not None}
    for bit in frame.bits:
        codes = bit.coding.value[1] if bit.coding is not Coding.FLAG else {False: 0, True: 1}
        values[bit.name] = codes[ours[bit.name]]
    return values


@EVERY
@pytest.mark.parametrize("state", MANY)
def test_another_reader_finds_the_same_values(name, state) -> None:
    file, row = loaded(name), PROTOCOLS[name]
    sent = list(messages(row, view(MANY[state], CONFIGURED, row.above_pack_mv)))
    assert sent
    for frame, data in sent:
        theirs = file.get_message_by_frame_id(frame.id).decode(data, decode_choices=False)
        ours = expected_of(frame, data)
        assert {key: theirs[key] for key in ours} == pytest.approx(ours, abs=0.5), f"{frame.id:03X}"
        unknown = theirs.keys() - ours.keys()
        assert unknown == {s.name for s in frame.signals if s.absent is not None} - ours.keys()


@EVERY
def test_the_file_has_every_frame_with_length_kind_and_period(name) -> None:
    file, row = loaded(name), PROTOCOLS[name]
    assert len(file.messages) == len(row.frames)
    for frame in row.frames:
        message = file.get_message_by_frame_id(frame.id)
        assert (message.length, message.is_extended_frame) == (frame.length, frame.extended)
        assert message.cycle_time == row.period_of(frame)


def test_flags_of_more_than_a_bit_say_their_values() -> None:
    sent = {
        f.id: data for f, data in messages(PROTOCOLS["victron"], view(document(["switch_otp"]), CONFIGURED))
    }
    named = loaded("victron").get_message_by_frame_id(0x35A).decode(sent[0x35A])
    assert str(named["alarm_high_temperature"]) == "raised"
    assert str(named["alarm_low_voltage"]) == "fine"
    sent = {f.id: data for f, data in messages(PROTOCOLS["jk"], view(document(["charge_utp"]), CONFIGURED))}
    assert str(loaded("jk").get_message_by_frame_id(0x7F4).decode(sent[0x7F4])["under_temperature"]) == "mild"


def test_a_sensor_that_is_absent_reads_as_absent() -> None:
    """As a number it was 205 °C."""
    sent = {f.id: data for f, data in messages(PROTOCOLS["jk"], view(document(), CONFIGURED))}
    seen = loaded("jk").get_message_by_frame_id(0x18F228F4).decode(sent[0x18F228F4])
    assert str(seen["temperature_4_decic"]) == "absent"
    assert seen["temperature_1_decic"] == 210


def test_a_text_is_no_number_and_a_comment_says_where_it_stands() -> None:
    message = loaded("pylontech").get_message_by_frame_id(0x35E)
    assert [signal.name for signal in message.signals] == []
    assert message.comment == "bytes 0 to 7: manufacturer, ASCII"
