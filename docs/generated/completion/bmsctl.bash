# Completion of bmsctl in bash.
# Made by './run docs' from the program's own options and the tables of bmsd.

_bmsctl() {
    local at=bmsctl place=0 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word i
    # Bash splits --option=value and name=value at the sign.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case "$at $word" in
            "bmsctl status") at="$at $word" place=0 ;;
            "bmsctl cells") at="$at $word" place=0 ;;
            "bmsctl alarms") at="$at $word" place=0 ;;
            "bmsctl why") at="$at $word" place=0 ;;
            "bmsctl params") at="$at $word" place=0 ;;
            "bmsctl params list") at="$at $word" place=0 ;;
            "bmsctl params get") at="$at $word" place=0 ;;
            "bmsctl params set") at="$at $word" place=0 ;;
            "bmsctl params preset") at="$at $word" place=0 ;;
            "bmsctl params reset") at="$at $word" place=0 ;;
            "bmsctl events") at="$at $word" place=0 ;;
            "bmsctl watch") at="$at $word" place=0 ;;
            "bmsctl can") at="$at $word" place=0 ;;
            "bmsctl switch") at="$at $word" place=0 ;;
            "bmsctl charge") at="$at $word" place=0 ;;
            "bmsctl reset") at="$at $word" place=0 ;;
            "bmsctl emergency") at="$at $word" place=0 ;;
            "bmsctl factory-reset") at="$at $word" place=0 ;;
            "bmsctl wake") at="$at $word" place=0 ;;
            "bmsctl setup") at="$at $word" place=0 ;;
            "bmsctl doctor") at="$at $word" place=0 ;;
            "bmsctl devices") at="$at $word" place=0 ;;
            "bmsctl modbus") at="$at $word" place=0 ;;
            "bmsctl modbus show") at="$at $word" place=0 ;;
            "bmsctl modbus unlock") at="$at $word" place=0 ;;
            "bmsctl modbus lock") at="$at $word" place=0 ;;
            "bmsctl modbus pin") at="$at $word" place=0 ;;
            "bmsctl modbus test") at="$at $word" place=0 ;;
            "bmsctl sim") at="$at $word" place=0 ;;
            "bmsctl sim set") at="$at $word" place=0 ;;
            "bmsctl sim cell") at="$at $word" place=0 ;;
            "bmsctl sim fault") at="$at $word" place=0 ;;
            "bmsctl sim list") at="$at $word" place=0 ;;
            *" --bus" | *" --cell" | *" --config" | *" --dump" | *" --link" | *" --runtime-dir" | *" --seconds" | *" --set" | *" -n") [[ ${COMP_WORDS[i+1]} == = ]] && i=$((i + 1)); i=$((i + 1)) ;;
            *" "-* | *" =") ;;
            *) place=$((place + 1)) ;;
        esac
    done
    COMPREPLY=()
    case "$at $prev" in
        "bmsctl --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl status --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl cells --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl alarms --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl why --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params list --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params get --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params set --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params preset --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl params reset --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl events --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl events -n") :; return ;;
        "bmsctl watch --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl can --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl can --bus") :; return ;;
        "bmsctl can --dump") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsctl switch --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl charge --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl reset --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl emergency --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl factory-reset --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl wake --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl setup --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl setup --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsctl setup --set") mapfile -t COMPREPLY < <(compgen -W 'pack.chemistry= pack.cells= pack.capacity_ah= pack.preset= pack.i_know= afe.chip= afe.bus= afe.address= afe.crc= afe.shunt_mohm= afe.battery_sensors= afe.switch_sensor= afe.timeout_ms= outputs.backend= outputs.gpio_chip= outputs.charge= outputs.discharge= outputs.precharge= outputs.heater= outputs.buzzer= outputs.heartbeat= outputs.led= outputs.button= outputs.i_know= outputs.active_low= outputs.charge_feedback= outputs.discharge_feedback= outputs.main= outputs.main_feedback= switches.topology= switches.close_after_restart= heater.resistance_ohm= heater.supply= can.protocol= can.fallback= can.fallback_after_s= can.battery_name= can.share_percent= can.silence_after_s= can.interface= can.channel= can.bitrate= modbus.port= modbus.tcp= modbus.baudrate= modbus.parity= modbus.stopbits= modbus.direction= modbus.rts_when_sending= modbus.before_ms= modbus.after_ms= modbus.mode= modbus.unit= modbus.maps= modbus.more_units= modbus.writes= meter.port= meter.tcp= meter.baudrate= meter.parity= meter.stopbits= meter.devices= meter.period_s= bench.scenario= cell_ovp_v= cell_ovpr_v= cell_ovp_delay_s= cell_uvp_v= cell_uvpr_v= cell_uvp_delay_s= cell_shutdown_v= cell_shutdown_delay_s= cell_floor_v= emergency_over_v= cell_spread_v= cell_spread_release_v= cell_spread_delay_s= cell_frozen_move_v= pack_ovp_v= pack_ovpr_v= pack_uvp_v= pack_uvpr_v= pack_voltage_delay_s= stack_mismatch_v= stack_error_v= charge_ocp_a= charge_ocp_delay_s= charge_ocp_release_s= charge_ocp2_a= charge_ocp2_delay_s= discharge_ocp_a= discharge_ocp_delay_s= discharge_ocp_release_s= discharge_ocp2_a= discharge_ocp2_delay_s= short_circuit_a= short_circuit_delay_us= short_circuit_release_s= short_circuit_releases_per_hour= over_current_releases_per_hour= physics_step_v= charge_otp_c= charge_otpr_c= charge_utp_c= charge_utpr_c= discharge_otp_c= discharge_otpr_c= discharge_utp_c= discharge_utpr_c= switch_otp_c= switch_otpr_c= temperature_delay_s= temperature_spread_k= temperature_spread_release_k= temperature_spread_delay_s= balance_start_v= balance_trigger_v= heater_max_a= heater_max_w= heater_max_run_s= heater_rest_s= heater_min_off_s= heater_min_soc_percent= heater_watch_s= heater_watch_rise_k= charger_detect_v= contactor_min_off_s= contactor_operations_per_hour= contactor_settle_s= precharge_percent= precharge_timeout_s= precharge_tries= precharge_rest_s= opening_wait_s= opening_current_a= weld_current_a= contact_proof_s= bus_hold_s= contactor_life_closings= forbidden_charge_a= forbidden_discharge_a= forbidden_flow_s= forbidden_flow_release_s= cell_charge_v= cell_discharge_v= charge_max_a= discharge_max_a= charge_taper_v= discharge_taper_v= charge_cold_taper_k= charge_hot_taper_k= discharge_cold_taper_k= discharge_hot_taper_k= charge_soc_taper_percent= discharge_soc_taper_percent= taper_least_percent= limit_hold_s= limit_hold_voltage_s= limit_rise_percent= limit_rise_v= absorption_least_s= absorption_most_s= float_charge= float_below_v= rest_percent= recharge_percent= recharge_below_v= full_charge_percent= full_charge_after_h= limit_tolerance_a= limit_tolerance_v= limit_react_s= limit_ignored_delay_s= charge_enforce_delay_s= discharge_enforce_delay_s= limit_enforce_release_s= soc_full_v= soc_full_tail_percent= soc_full_time_s= soc_empty_v= soc_empty_time_s= buzzer= period_s= value_max_age_s= unknown_grace_s= start_good_cycles= recovery_s= cell_low_margin_v= force_charge_percent= force_charge_end_percent= force_charge_least_s= force_charge_least_percent= inverter_idle_w= reserve_h= shutdown_after_s= sleep_after_h= sleep_current_a= sleep_contactors= sleep_period_s=' -- "$cur"); [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace; return ;;
        "bmsctl doctor --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl doctor --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsctl devices --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus show --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus unlock --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus unlock --link") :; return ;;
        "bmsctl modbus lock --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus lock --link") :; return ;;
        "bmsctl modbus pin --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus pin --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsctl modbus test --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl modbus test --link") :; return ;;
        "bmsctl modbus test --seconds") :; return ;;
        "bmsctl modbus test --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsctl sim --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl sim set --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl sim cell --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl sim fault --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        "bmsctl sim fault --cell") :; return ;;
        "bmsctl sim list --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        case $at in
            "bmsctl") mapfile -t COMPREPLY < <(compgen -W '-h --help --version --runtime-dir' -- "$cur") ;;
            "bmsctl status") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl cells") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl alarms") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl why") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params list") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params get") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params set") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params preset") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl params reset") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl events") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir -n --follow -f --json' -- "$cur") ;;
            "bmsctl watch") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl can") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --bus --once --dump --json' -- "$cur") ;;
            "bmsctl switch") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl charge") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl reset") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl emergency") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --yes' -- "$cur") ;;
            "bmsctl factory-reset") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --yes' -- "$cur") ;;
            "bmsctl wake") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl setup") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --config --set --yes --replace --dry-run' -- "$cur") ;;
            "bmsctl doctor") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --config --json' -- "$cur") ;;
            "bmsctl devices") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl modbus") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl modbus show") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --json' -- "$cur") ;;
            "bmsctl modbus unlock") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --link' -- "$cur") ;;
            "bmsctl modbus lock") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --link' -- "$cur") ;;
            "bmsctl modbus pin") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --config --remove' -- "$cur") ;;
            "bmsctl modbus test") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --link --seconds --config --json' -- "$cur") ;;
            "bmsctl sim") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl sim set") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl sim cell") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
            "bmsctl sim fault") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir --cell' -- "$cur") ;;
            "bmsctl sim list") mapfile -t COMPREPLY < <(compgen -W '-h --help --runtime-dir' -- "$cur") ;;
        esac
        return
    fi
    [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD-1]} == = ]] && return
    case "$at:$place" in
        "bmsctl:0") mapfile -t COMPREPLY < <(compgen -W 'status cells alarms why params events watch can switch charge reset emergency factory-reset wake setup doctor devices modbus sim' -- "$cur") ;;
        "bmsctl why:0") mapfile -t COMPREPLY < <(compgen -W 'charge discharge heater balance' -- "$cur") ;;
        "bmsctl params:0") mapfile -t COMPREPLY < <(compgen -W 'list get set preset reset' -- "$cur") ;;
        "bmsctl params get:0") mapfile -t COMPREPLY < <(compgen -W 'cell_ovp_v cell_ovpr_v cell_ovp_delay_s cell_uvp_v cell_uvpr_v cell_uvp_delay_s cell_shutdown_v cell_shutdown_delay_s cell_floor_v emergency_over_v cell_spread_v cell_spread_release_v cell_spread_delay_s cell_frozen_move_v pack_ovp_v pack_ovpr_v pack_uvp_v pack_uvpr_v pack_voltage_delay_s stack_mismatch_v stack_error_v charge_ocp_a charge_ocp_delay_s charge_ocp_release_s charge_ocp2_a charge_ocp2_delay_s discharge_ocp_a discharge_ocp_delay_s discharge_ocp_release_s discharge_ocp2_a discharge_ocp2_delay_s short_circuit_a short_circuit_delay_us short_circuit_release_s short_circuit_releases_per_hour over_current_releases_per_hour physics_step_v charge_otp_c charge_otpr_c charge_utp_c charge_utpr_c discharge_otp_c discharge_otpr_c discharge_utp_c discharge_utpr_c switch_otp_c switch_otpr_c temperature_delay_s temperature_spread_k temperature_spread_release_k temperature_spread_delay_s balance_start_v balance_trigger_v heater_max_a heater_max_w heater_max_run_s heater_rest_s heater_min_off_s heater_min_soc_percent heater_watch_s heater_watch_rise_k charger_detect_v contactor_min_off_s contactor_operations_per_hour contactor_settle_s precharge_percent precharge_timeout_s precharge_tries precharge_rest_s opening_wait_s opening_current_a weld_current_a contact_proof_s bus_hold_s contactor_life_closings forbidden_charge_a forbidden_discharge_a forbidden_flow_s forbidden_flow_release_s cell_charge_v cell_discharge_v charge_max_a discharge_max_a charge_taper_v discharge_taper_v charge_cold_taper_k charge_hot_taper_k discharge_cold_taper_k discharge_hot_taper_k charge_soc_taper_percent discharge_soc_taper_percent taper_least_percent limit_hold_s limit_hold_voltage_s limit_rise_percent limit_rise_v absorption_least_s absorption_most_s float_charge float_below_v rest_percent recharge_percent recharge_below_v full_charge_percent full_charge_after_h limit_tolerance_a limit_tolerance_v limit_react_s limit_ignored_delay_s charge_enforce_delay_s discharge_enforce_delay_s limit_enforce_release_s soc_full_v soc_full_tail_percent soc_full_time_s soc_empty_v soc_empty_time_s buzzer period_s value_max_age_s unknown_grace_s start_good_cycles recovery_s cell_low_margin_v force_charge_percent force_charge_end_percent force_charge_least_s force_charge_least_percent inverter_idle_w reserve_h shutdown_after_s sleep_after_h sleep_current_a sleep_contactors sleep_period_s' -- "$cur") ;;
        "bmsctl params set:"*) mapfile -t COMPREPLY < <(compgen -W 'cell_ovp_v= cell_ovpr_v= cell_ovp_delay_s= cell_uvp_v= cell_uvpr_v= cell_uvp_delay_s= cell_shutdown_v= cell_shutdown_delay_s= cell_floor_v= emergency_over_v= cell_spread_v= cell_spread_release_v= cell_spread_delay_s= cell_frozen_move_v= pack_ovp_v= pack_ovpr_v= pack_uvp_v= pack_uvpr_v= pack_voltage_delay_s= stack_mismatch_v= stack_error_v= charge_ocp_a= charge_ocp_delay_s= charge_ocp_release_s= charge_ocp2_a= charge_ocp2_delay_s= discharge_ocp_a= discharge_ocp_delay_s= discharge_ocp_release_s= discharge_ocp2_a= discharge_ocp2_delay_s= short_circuit_a= short_circuit_delay_us= short_circuit_release_s= short_circuit_releases_per_hour= over_current_releases_per_hour= physics_step_v= charge_otp_c= charge_otpr_c= charge_utp_c= charge_utpr_c= discharge_otp_c= discharge_otpr_c= discharge_utp_c= discharge_utpr_c= switch_otp_c= switch_otpr_c= temperature_delay_s= temperature_spread_k= temperature_spread_release_k= temperature_spread_delay_s= balance_start_v= balance_trigger_v= heater_max_a= heater_max_w= heater_max_run_s= heater_rest_s= heater_min_off_s= heater_min_soc_percent= heater_watch_s= heater_watch_rise_k= charger_detect_v= contactor_min_off_s= contactor_operations_per_hour= contactor_settle_s= precharge_percent= precharge_timeout_s= precharge_tries= precharge_rest_s= opening_wait_s= opening_current_a= weld_current_a= contact_proof_s= bus_hold_s= contactor_life_closings= forbidden_charge_a= forbidden_discharge_a= forbidden_flow_s= forbidden_flow_release_s= cell_charge_v= cell_discharge_v= charge_max_a= discharge_max_a= charge_taper_v= discharge_taper_v= charge_cold_taper_k= charge_hot_taper_k= discharge_cold_taper_k= discharge_hot_taper_k= charge_soc_taper_percent= discharge_soc_taper_percent= taper_least_percent= limit_hold_s= limit_hold_voltage_s= limit_rise_percent= limit_rise_v= absorption_least_s= absorption_most_s= float_charge= float_below_v= rest_percent= recharge_percent= recharge_below_v= full_charge_percent= full_charge_after_h= limit_tolerance_a= limit_tolerance_v= limit_react_s= limit_ignored_delay_s= charge_enforce_delay_s= discharge_enforce_delay_s= limit_enforce_release_s= soc_full_v= soc_full_tail_percent= soc_full_time_s= soc_empty_v= soc_empty_time_s= buzzer= period_s= value_max_age_s= unknown_grace_s= start_good_cycles= recovery_s= cell_low_margin_v= force_charge_percent= force_charge_end_percent= force_charge_least_s= force_charge_least_percent= inverter_idle_w= reserve_h= shutdown_after_s= sleep_after_h= sleep_current_a= sleep_contactors= sleep_period_s=' -- "$cur") ;;
        "bmsctl params preset:0") mapfile -t COMPREPLY < <(compgen -W 'default jk-compatible' -- "$cur") ;;
        "bmsctl switch:0") mapfile -t COMPREPLY < <(compgen -W 'charge discharge balance' -- "$cur") ;;
        "bmsctl switch:1") mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
        "bmsctl charge:0") mapfile -t COMPREPLY < <(compgen -W 'full force' -- "$cur") ;;
        "bmsctl charge:1") mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
        "bmsctl reset:0") mapfile -t COMPREPLY < <(compgen -W 'cell_floor chip_fault precharge_failed charge_contactor_welded charge_contactor_open discharge_contactor_welded discharge_contactor_open heater_no_warming heater_stuck_on main_contactor_welded main_contactor_open configuration_fault current_implausible current_reversed short_circuit_repeated charge_trip_repeated discharge_trip_repeated' -- "$cur") ;;
        "bmsctl emergency:0") mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
        "bmsctl modbus:0") mapfile -t COMPREPLY < <(compgen -W 'show unlock lock pin test' -- "$cur") ;;
        "bmsctl modbus unlock:0") : ;;
        "bmsctl sim:0") mapfile -t COMPREPLY < <(compgen -W 'set cell fault list' -- "$cur") ;;
        "bmsctl sim set:"*) mapfile -t COMPREPLY < <(compgen -W 'ambient_c= pack_c= board_c= soc_percent= charger_a= charger_v= load_w= inverter_idle_w= inverter_lag_s= inverter_step_a= inverter_step_v= inverter_error_v= inverter_over_percent= ua_w_per_k= heater_ohm= precharge_ohm= capacitance_mf= current_offset_ma= current_gain_percent= noise_mv= ts1_offset_k= ts2_offset_k= button=' -- "$cur") ;;
        "bmsctl sim cell:0") : ;;
        "bmsctl sim cell:"*) mapfile -t COMPREPLY < <(compgen -W 'offset_mv= noise_mv= soc_percent= capacity_percent= resistance_percent= leak_ma= wire_ohm=' -- "$cur") ;;
        "bmsctl sim fault:0") mapfile -t COMPREPLY < <(compgen -W 'charge_weld charge_stuck_open charge_feedback_stuck charge_bounce discharge_weld discharge_stuck_open discharge_feedback_stuck discharge_bounce main_weld main_stuck_open main_feedback_stuck precharge_weld precharge_stuck_open heater_stuck_on heater_stuck_off heater_feedback_stuck heater_open heater_short load_left_on load_short inverter_ignores_limits inverter_ignores_current inverter_exports charger_runaway switch_hot cell_open_wire cell_wires_swapped cell_wire_short cell_frozen cells_frozen current_frozen current_lost current_reversed ntc1_open ntc2_open ntc3_open ntc1_short ntc2_short ntc3_short afe_nack afe_crc afe_stuck afe_torn afe_reset afe_frozen afe_zeros afe_ones afe_fets_deaf afe_config_flip' -- "$cur") ;;
        "bmsctl sim fault:1") mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
    esac
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -F _bmsctl bmsctl
