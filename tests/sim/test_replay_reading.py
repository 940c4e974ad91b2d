"""Reading recordings: columns found, mapped and scaled, rows held, and what is refused."""

from __future__ import annotations

import pytest

from bmsd.errors import PeerError
from bmsd.sim.recording import Recording, RecordingRow
from bmsd.sim.replay import read_curve


@pytest.fixture
def read(tmp_path):
    def from_text(text: str, columns: str = "") -> tuple[Recording, list[RecordingRow]]:
        path = tmp_path / "recorded.csv"
        path.write_text(text)
        with Recording(path, columns) as recording:
            return recording, list(recording)

    return from_text


def test_our_own_columns_and_nothing_else(read) -> None:
    recording, rows = read(
        "# made by hand\nnote,t_s,current_a,voltage_v,temp_c,soc_ref\nx,0,1.5,3.3,21,0.5\n\n# pause\ny,2,-1,3.2,22,\n"
    )
    assert rows == [RecordingRow(0, 1.5, (3.3,), 21, 0.5), RecordingRow(2, -1, (3.2,), 22, None)]
    assert recording.is_one_cell
    assert recording.cells is None


def test_a_high_voltage_is_that_of_the_pack(read) -> None:
    assert read("t_s,current_a,voltage_v\n0,0,5.9\n")[0].is_one_cell
    recording, _ = read("t_s,current_a,voltage_v\n0,0,52.8\n")
    assert not recording.is_one_cell
    assert "shared" in recording.told


def test_cells_with_columns_of_their_own(read) -> None:
    recording, rows = read("t_s,current_a,v2,v1,v3\n0,0,3.2,3.1,3.3\n")
    assert recording.cells == 3
    assert rows[0].volts == (3.1, 3.2, 3.3)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("t_s,cell01_mv,cell02_mv,pack_mv,current_ma", ""),
        ("t_ms,v1_mv,v2_mv,pack_mv,current_ma", "t_s=t_ms"),
        ("time,a_mv_01,a_mv_02,x,amps", "t_s=time,v*=a_mv_**0.001,current_a=amps*0.001"),
        ("time,c1,c2,x,i", "t_s = time, v1=c1*1e-3, v2=c2*0.001, current_a=i*1e-3"),
    ],
)
def test_units_and_names_of_others(read, header, columns) -> None:
    recording, rows = read(f"{header}\n4,3001,3002,6003,-250\n", columns)
    assert recording.cells == 2
    assert rows == [
        RecordingRow(4, pytest.approx(-0.25), (pytest.approx(3.001), pytest.approx(3.002)), None, None)
    ]


def test_a_current_of_the_other_sign(read) -> None:
    assert read("t_s,i,voltage_v\n0,2,3\n", "current_a=i*-1")[1][0].current_a == -2


def test_an_empty_value_keeps_the_one_before(read) -> None:
    recording, rows = read("t_s,current_a,voltage_v\n0,1,3.3\n1,,3.4\n2,nan,x\n3,2,3.5\n")
    assert [(row.current_a, row.volts[0]) for row in rows] == [(1, 3.3), (1, 3.4), (1, 3.4), (2, 3.5)]
    assert recording.held == 3


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("a,b\n1,2\n", "", ("no column for t_s, current_a, voltage_v or v1 to vN", "a, b", "--columns")),
        ("t_s,current_a,v1,v3\n0,0,3,3\n", "", ("count from 1", "[1, 3]")),
        ("t_s,current_a,voltage_v\n", "", ("no row",)),
        ("t_s,current_a,voltage_v\n5,0,3\n4,0,3\n", "", ("goes back from 5 s to 4 s",)),
        ("t_s,current_a,voltage_v\n5,0,3\n", "t_s=zeit", ("no column zeit",)),
        ("t_s,current_a,voltage_v\n5,0,3\n", "speed=t_s", ("cannot use speed", "current_a")),
        ("t_s,current_a,voltage_v\n5,0,3\n", "t_s", ("'t_s' is not NEW=OLD",)),
        ("", "", ("no column for",)),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(read, text, columns, words) -> None:
    with pytest.raises(PeerError) as error:
        read(text, columns)
    assert all(word in str(error.value) for word in words), error.value


def test_a_steep_curve_tells_more_than_a_flat_one(tmp_path) -> None:
    path = tmp_path / "ocv.csv"
    path.write_text("soc,v_ocv\n0,3.0\n0.5,3.5\n0.6,3.501\n1,4.0\n")
    assert read_curve(path, 3250) == (250, 20)
    flat_permille, flat_error = read_curve(path, 3500.5)
    assert flat_permille == 550
    assert flat_error > 50
    assert read_curve(path, 2000)[0] == 0
    assert read_curve(path, 5000)[0] == 1000


@pytest.mark.parametrize("text", ["soc,volts\n0,3\n", "", "soc,v_mid\n0,\n"])
def test_a_curve_without_its_columns_is_refused(tmp_path, text) -> None:
    path = tmp_path / "ocv.csv"
    path.write_text(text)
    with pytest.raises(PeerError, match=r"ocv\.csv"):
        read_curve(path, 3300)
