"""What cells bear and what would trap a pack: each bound at its limit and one step beyond (S8)."""

from __future__ import annotations

import pytest

from bmsd.tables import envelopes, parameters
from bmsd.tables.chemistries import CHEMISTRIES, PRESETS
from bmsd.tables.envelopes import CAPPED, SHARES, TRAPS, WINDOWS, PackKind, capped, problems
from bmsd.tables.parameters import BY_NAME

CURRENTS = {"charge_ocp_ma": 100_000, "discharge_ocp_ma": 150_000}


def pack(
    chemistry: str = "lifepo4", preset: str = "default", cells: int = 16, ah: int = 280, *i_know: str
) -> PackKind:
    return PackKind(chemistry, preset, cells, ah * 1000, frozenset(i_know))


def filled(of: PackKind, **chosen: int) -> dict[str, int | None]:
    values = parameters.defaults(of.chemistry, of.preset, of.cells, {**CURRENTS, **chosen}, of.capacity_mah)
    return capped(values, chosen, of.capacity_mah)


@pytest.mark.parametrize("chemistry", CHEMISTRIES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("cells", [3, 4, 8, 15, 16])
@pytest.mark.parametrize("ah", [1, 10, 280, 5000])
def test_every_preset_is_good_for_a_pack_of_any_size(chemistry, preset, cells, ah) -> None:
    of = pack(chemistry, preset, cells, ah)
    assert problems(filled(of), of) == {}


# Typed out from data sheets and the JK reference, not from the table: the last that is good, and the last with i_know.
WANTED = (
    ("cell_ovp_mv", 1, (3650, 4200, 2800), (3800, 4350, 2900)),
    ("cell_floor_mv", -1, (2000, 2500, 1500), (1500, 2000, 1000)),
    ("charge_utp_decic", -1, (0, 0, -300), (-200, -200, -300)),
    ("charge_otp_decic", 1, (600, 600, 650), (650, 650, 700)),
    ("discharge_otp_decic", 1, (650, 650, 700), (700, 700, 750)),
)


@pytest.mark.parametrize(("name", "side", "usual", "last"), WANTED, ids=str)
@pytest.mark.parametrize("column", range(3))
def test_beyond_what_cells_bear_needs_a_word_and_beyond_the_last_none_helps(
    name, side, usual, last, column
) -> None:
    """S8: one line that says the key, the value, the limit and what to do."""
    chemistry, public = [*CHEMISTRIES][column], BY_NAME[name].public_name
    plain, knowing = pack(chemistry), pack(chemistry, "default", 16, 280, public)
    for of, limit in ((plain, usual[column]), (knowing, last[column])):
        others = {**filled(of), "discharge_otp_decic": 750}
        assert name not in problems({**others, name: limit}, of)
        text = problems({**others, name: limit + side}, of)[name]
        row = BY_NAME[name]
        for word in (public, row.unit.text(limit + side), row.unit.text(limit), CHEMISTRIES[chemistry].title):
            assert word in text, text
        assert ("i_know" in text) == (limit != last[column])


def test_the_pack_limit_is_that_of_its_cells() -> None:
    of = pack()
    assert "pack_ovp_mv" not in problems(filled(of, pack_ovp_mv=3650 * 16), of)
    assert "58.400 V" in problems(filled(of, pack_ovp_mv=3650 * 16 + 1), of)["pack_ovp_mv"]


def test_charging_in_frost_needs_a_word_but_where_the_chosen_preset_says_it() -> None:
    """S3: titanate apart, and Li-ion with JK's own preset, which the installer names."""
    for chemistry in ("lifepo4", "li-ion"):
        of = pack(chemistry)
        assert "charge_utp_decic" not in problems(filled(of), of)
        assert "charge_utp_decic" in problems(filled(of, charge_utp_decic=-1), of)
    jk = pack("li-ion", "jk-compatible")
    assert "charge_utp_decic" not in problems(filled(jk), jk)
    assert "charge_utp_decic" in problems(filled(jk, charge_utp_decic=-201), jk)


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.name)
def test_a_current_far_beyond_what_it_belongs_to_is_refused(share) -> None:
    of = pack("lifepo4", "default", 16, 5000)
    base = CURRENTS[share.of]
    most = max(base * share.permille // 1000, share.least)
    assert share.name not in problems({**filled(of), share.name: most}, of)
    text = problems({**filled(of), share.name: most + 1}, of)[share.name]
    assert BY_NAME[share.of].public_name in text
    assert "Take at most" in text


@pytest.mark.parametrize("name", CAPPED)
def test_a_forbidden_current_is_little_beside_the_capacity_too(name) -> None:
    """S1: 58 A into a pack at -8 °C was a file that was accepted."""
    of = pack(ah=20)
    assert filled(of)[name] == 1000, "what nobody chose follows"
    assert name not in problems(filled(of, **{name: 1000}), of)
    assert "20 Ah" in problems(filled(of, **{name: 1001}), of)[name]
    unknown = pack(ah=0)
    assert name not in problems({**filled(of), name: 5000}, unknown), "an unknown capacity bounds nothing"
    assert name in problems({**filled(of), name: 58_000}, unknown)


def test_a_tiny_pack_keeps_the_least_that_can_be_set() -> None:
    of = PackKind("lifepo4", "default", 16, 100, frozenset())
    assert filled(of)["forbidden_charge_ma"] == BY_NAME["forbidden_charge_ma"].low


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: f"{trap.lower}-{trap.higher}")
@pytest.mark.parametrize("cells", [4, 16])
def test_a_set_that_never_comes_back_is_refused_at_the_first_step(trap, cells) -> None:
    """S8: no recovery that cannot be reached."""
    of = pack(cells=cells)
    values = filled(of)
    low, high = BY_NAME[trap.lower], BY_NAME[trap.higher]
    scale = cells if low.per_cell or high.per_cell else 1
    there = values[trap.higher] * (1 if high.per_cell else scale) - trap.gap * scale
    limit = there // (1 if low.per_cell else scale)
    assert trap.stuck not in problems({**values, trap.lower: limit}, of).get(trap.lower, "")
    text = problems({**values, trap.lower: limit + 1}, of)[trap.lower]
    for word in (low.public_name, high.public_name, trap.stuck, "Lower the first or raise the second"):
        assert word in text, text


def test_what_is_missing_is_told_elsewhere() -> None:
    """S2: a current that the installer did not choose breaks no share."""
    of = pack()
    values = parameters.defaults("lifepo4", "default", 16, {}, 280_000)
    assert problems(capped(values, (), 280_000), of) == {}
    for window in WINDOWS:
        assert window.name not in problems({**filled(of), window.name: None}, of)
    for trap in TRAPS:
        assert problems({**filled(of), trap.lower: None}, of) == {}


def test_two_things_wrong_with_one_parameter_are_one_text() -> None:
    of = pack()
    text = problems(filled(of, cell_uvpr_mv=3460), of)["cell_uvpr_mv"]
    assert text.count("cell_uvpr_v") == 2
    assert "; " in text


def test_what_may_be_known_is_what_has_a_window() -> None:
    assert set(envelopes.KNOWABLE) >= {"cell_ovp_v", "charge_utp_c", "cell_floor_v"}
