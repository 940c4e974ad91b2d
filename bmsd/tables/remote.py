"""What may be written remotely, one row per run-time parameter: its number for ever, and which way is narrower.

A wire can be read, and written to, by whoever reaches it. So a parameter goes remotely only to the side on which
less is allowed than what was set at the pack itself (S14), and what has no such side cannot be written at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bmsd.tables import parameters
from bmsd.tables.alarms import Block
from bmsd.tables.parameters import Parameters


class Way(Enum):
    """To which side of the value set at the pack a parameter may go."""

    DOWN = "down"
    UP = "up"
    NEVER = "never"
    """Detectors, the cycle, what latches or heats: neither side is the narrower one, or it needs somebody there."""


@dataclass(frozen=True, slots=True)
class Remote:
    """One parameter: a number that no other one ever gets, its inside name, and its way."""

    number: int
    name: str
    way: Way


DOWN, UP, NEVER = Way.DOWN, Way.UP, Way.NEVER
SWITCHES = {"charge": Block.CHARGE, "discharge": Block.DISCHARGE, "balance": Block.BALANCE}
"""What may be switched off remotely, and on again when nothing else stands against it."""

# fmt: off
ROWS: tuple[Remote, ...] = (
    Remote(0, "cell_ovp_mv", DOWN),
    Remote(1, "cell_ovpr_mv", DOWN),
    Remote(2, "cell_ovp_delay_ms", DOWN),
    Remote(3, "cell_uvp_mv", UP),
    Remote(4, "cell_uvpr_mv", UP),
    Remote(5, "cell_uvp_delay_ms", DOWN),
    Remote(6, "cell_shutdown_mv", UP),
    Remote(7, "cell_shutdown_delay_ms", DOWN),
    Remote(8, "cell_floor_mv", NEVER),
    Remote(9, "emergency_over_mv", DOWN),
    Remote(10, "cell_spread_mv", DOWN),
    Remote(11, "cell_spread_release_mv", DOWN),
    Remote(12, "cell_spread_delay_ms", DOWN),
    Remote(13, "cell_frozen_move_mv", NEVER),
    Remote(14, "pack_ovp_mv", DOWN),
    Remote(15, "pack_ovpr_mv", DOWN),
    Remote(16, "pack_uvp_mv", UP),
    Remote(17, "pack_uvpr_mv", UP),
    Remote(18, "pack_voltage_delay_ms", DOWN),
    Remote(19, "stack_mismatch_mv", NEVER),
    Remote(20, "charge_ocp_ma", DOWN),
    Remote(21, "charge_ocp_delay_ms", DOWN),
    Remote(22, "charge_ocp_release_ms", UP),
    Remote(23, "charge_ocp2_ma", DOWN),
    Remote(24, "charge_ocp2_delay_ms", DOWN),
    Remote(25, "discharge_ocp_ma", DOWN),
    Remote(26, "discharge_ocp_delay_ms", DOWN),
    Remote(27, "discharge_ocp_release_ms", UP),
    Remote(28, "discharge_ocp2_ma", DOWN),
    Remote(29, "discharge_ocp2_delay_ms", DOWN),
    Remote(30, "short_circuit_ma", DOWN),
    Remote(31, "short_circuit_delay_us", DOWN),
    Remote(32, "short_circuit_release_ms", UP),
    Remote(33, "short_circuit_releases_per_hour", DOWN),
    Remote(34, "physics_step_mv", NEVER),
    Remote(35, "charge_otp_decic", DOWN),
    Remote(36, "charge_otpr_decic", DOWN),
    Remote(37, "charge_utp_decic", NEVER),
    Remote(38, "charge_utpr_decic", NEVER),
    Remote(39, "discharge_otp_decic", DOWN),
    Remote(40, "discharge_otpr_decic", DOWN),
    Remote(41, "discharge_utp_decic", UP),
    Remote(42, "discharge_utpr_decic", UP),
    Remote(43, "switch_otp_decic", DOWN),
    Remote(44, "switch_otpr_decic", DOWN),
    Remote(45, "temperature_delay_ms", NEVER),
    Remote(46, "temperature_spread_decik", DOWN),
    Remote(47, "temperature_spread_release_decik", DOWN),
    Remote(48, "temperature_spread_delay_ms", DOWN),
    Remote(49, "balance_start_mv", UP),
    Remote(50, "balance_trigger_mv", UP),
    Remote(51, "heater_max_ma", DOWN),
    Remote(52, "heater_max_mw", DOWN),
    Remote(53, "heater_max_run_ms", DOWN),
    Remote(54, "heater_rest_ms", UP),
    Remote(55, "heater_min_off_ms", UP),
    Remote(56, "heater_min_soc_permille", UP),
    Remote(57, "heater_watch_ms", NEVER),
    Remote(58, "heater_watch_rise_decik", NEVER),
    Remote(59, "charger_detect_mv", NEVER),
    Remote(60, "contactor_min_off_ms", UP),
    Remote(61, "contactor_operations_per_hour", DOWN),
    Remote(62, "contactor_settle_ms", NEVER),
    Remote(63, "precharge_permille", NEVER),
    Remote(64, "precharge_timeout_ms", NEVER),
    Remote(65, "precharge_tries", NEVER),
    Remote(66, "precharge_rest_ms", NEVER),
    Remote(67, "opening_wait_ms", NEVER),
    Remote(68, "opening_current_ma", NEVER),
    Remote(69, "weld_current_ma", NEVER),
    Remote(70, "contact_proof_ms", NEVER),
    Remote(71, "contactor_life_closings", NEVER),
    Remote(72, "forbidden_charge_ma", DOWN),
    Remote(73, "forbidden_discharge_ma", DOWN),
    Remote(74, "forbidden_flow_ms", DOWN),
    Remote(75, "forbidden_flow_release_ms", UP),
    Remote(76, "cell_charge_mv", DOWN),
    Remote(77, "cell_discharge_mv", UP),
    Remote(78, "charge_max_ma", DOWN),
    Remote(79, "discharge_max_ma", DOWN),
    Remote(80, "charge_taper_mv", UP),
    Remote(81, "discharge_taper_mv", UP),
    Remote(82, "limit_tolerance_ma", DOWN),
    Remote(83, "limit_tolerance_mv", DOWN),
    Remote(84, "limit_react_ms", DOWN),
    Remote(85, "limit_ignored_delay_ms", DOWN),
    Remote(86, "charge_enforce_delay_ms", DOWN),
    Remote(87, "discharge_enforce_delay_ms", DOWN),
    Remote(88, "limit_enforce_release_ms", UP),
    Remote(89, "soc_full_mv", NEVER),
    Remote(90, "soc_full_tail_permille", NEVER),
    Remote(91, "soc_full_time_ms", NEVER),
    Remote(92, "soc_empty_mv", NEVER),
    Remote(93, "soc_empty_time_ms", NEVER),
    Remote(94, "buzzer", NEVER),
    Remote(95, "period_ms", NEVER),
    Remote(96, "value_max_age_ms", NEVER),
    Remote(97, "unknown_grace_ms", NEVER),
    Remote(98, "start_good_cycles", NEVER),
    Remote(99, "recovery_ms", NEVER),
    Remote(100, "cell_low_margin_mv", NEVER),
    Remote(101, "force_charge_permille", NEVER),
    Remote(102, "force_charge_end_permille", NEVER),
    Remote(103, "shutdown_after_ms", NEVER),
    Remote(104, "sleep_after_h", NEVER),
    Remote(105, "sleep_current_ma", NEVER),
    Remote(106, "sleep_contactors", NEVER),
    Remote(107, "sleep_period_ms", NEVER),
    Remote(108, "charge_cold_taper_decik", UP),
    Remote(109, "charge_hot_taper_decik", UP),
    Remote(110, "discharge_cold_taper_decik", UP),
    Remote(111, "discharge_hot_taper_decik", UP),
    Remote(112, "charge_soc_taper_permille", UP),
    Remote(113, "discharge_soc_taper_permille", UP),
    Remote(114, "taper_least_permille", DOWN),
    Remote(115, "limit_hold_ms", UP),
    Remote(116, "limit_rise_permille", DOWN),
    Remote(117, "limit_rise_mv", NEVER),
    Remote(118, "absorption_least_ms", NEVER),
    Remote(119, "absorption_most_ms", NEVER),
    Remote(120, "float_charge", DOWN),
    Remote(121, "float_below_mv", UP),
    Remote(122, "rest_permille", DOWN),
    Remote(123, "recharge_permille", DOWN),
    Remote(124, "recharge_below_mv", UP),
    Remote(125, "full_charge_permille", NEVER),
    Remote(126, "full_charge_after_h", NEVER),
    Remote(127, "limit_hold_voltage_ms", UP),
    Remote(128, "force_charge_least_ms", NEVER),
    Remote(129, "force_charge_least_permille", NEVER),
    Remote(130, "inverter_idle_mw", NEVER),
    Remote(131, "reserve_h", NEVER),
    Remote(132, "over_current_releases_per_hour", NEVER),
    Remote(133, "bus_hold_ms", NEVER),
    Remote(134, "stack_error_mv", NEVER),
)
# fmt: on
BY_NAME = {row.name: row for row in ROWS}


def problems(wanted: Mapping[str, int], here: Parameters) -> list[str]:
    """List what in remote values would allow more than what was set at the pack."""
    found = []
    for name, value in wanted.items():
        row, parameter = BY_NAME.get(name), parameters.BY_NAME.get(name)
        if parameter is None:
            found.append(f"no parameter is called {name}")
        elif value == here.get(name) or narrows(row, value, here):
            continue
        elif row is None or row.way is NEVER:
            found.append(f"{parameter.public_name} cannot be changed remotely")
        else:
            side = "above" if row.way is DOWN else "below"
            found.append(
                f"{parameter.public_name} is {parameter.unit.text(value)}; a remote write may not go {side}"
                f" {parameter.unit.text(here.get(name))}, which is set at the pack"
            )
    return found


def narrows(row: Remote | None, value: int, here: Parameters) -> bool:
    """Tell whether a value allows less than what was set at the pack."""
    if row is None or row.way is NEVER:
        return False
    return value < here.get(row.name) if row.way is DOWN else value > here.get(row.name)
