"""A broken rule: what makes two of them the same, and at which parameter it is told."""

from __future__ import annotations

from bmsd.tables.faults import Fault, by_name

ORDER = Fault("order", ("cell_ovp_mv", "cell_ovpr_mv"), "is too low", ": take more", " or less of the other")


def test_the_same_rule_of_the_same_parameters_is_the_same_fault_whatever_the_values() -> None:
    other = Fault("order", ("cell_ovp_mv", "cell_ovpr_mv"), "is far too low")
    assert ORDER.key == other.key
    assert ORDER.key != Fault("range", ("cell_ovp_mv", "cell_ovpr_mv"), "is too low").key
    assert ORDER.key != Fault("order", ("cell_ovpr_mv", "cell_ovp_mv"), "is too low").key


def test_it_is_told_at_the_parameter_that_somebody_wrote() -> None:
    text = "is too low: take more or less of the other"
    assert by_name([ORDER]) == {"cell_ovp_mv": text}
    assert by_name([ORDER], {"cell_ovpr_mv"}) == {"cell_ovpr_mv": text}
