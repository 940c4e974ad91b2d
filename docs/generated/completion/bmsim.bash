# Completion of bmsim in bash.
# Made by './run docs' from the program's own options and the tables of bmsd.

_bmsim() {
    local at=bmsim place=0 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word i
    # Bash splits --option=value and name=value at the sign.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case "$at $word" in
            "bmsim run") at="$at $word" place=0 ;;
            "bmsim replay") at="$at $word" place=0 ;;
            "bmsim list") at="$at $word" place=0 ;;
            *" --capacity-ah" | *" --chemistry" | *" --columns" | *" --config" | *" --csv" | *" --hold-s" | *" --initial-soc" | *" --ocv" | *" --period-ms" | *" --plot") [[ ${COMP_WORDS[i+1]} == = ]] && i=$((i + 1)); i=$((i + 1)) ;;
            *" "-* | *" =") ;;
            *) place=$((place + 1)) ;;
        esac
    done
    COMPREPLY=()
    case "$at $prev" in
        "bmsim run --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim run --csv") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim run --plot") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim run --period-ms") :; return ;;
        "bmsim replay --chemistry") mapfile -t COMPREPLY < <(compgen -W 'lifepo4 li-ion lto' -- "$cur"); return ;;
        "bmsim replay --capacity-ah") :; return ;;
        "bmsim replay --initial-soc") :; return ;;
        "bmsim replay --ocv") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim replay --columns") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim replay --hold-s") :; return ;;
        "bmsim replay --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim replay --csv") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim replay --plot") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsim replay --period-ms") :; return ;;
    esac
    if [[ $cur == -* ]]; then
        case $at in
            "bmsim") mapfile -t COMPREPLY < <(compgen -W '-h --help --version' -- "$cur") ;;
            "bmsim run") mapfile -t COMPREPLY < <(compgen -W '-h --help --config --csv --plot --period-ms --quiet' -- "$cur") ;;
            "bmsim replay") mapfile -t COMPREPLY < <(compgen -W '-h --help --chemistry --capacity-ah --initial-soc --ocv --columns --hold-s --config --csv --plot --period-ms --quiet' -- "$cur") ;;
            "bmsim list") mapfile -t COMPREPLY < <(compgen -W '-h --help' -- "$cur") ;;
        esac
        return
    fi
    [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD-1]} == = ]] && return
    case "$at:$place" in
        "bmsim:0") mapfile -t COMPREPLY < <(compgen -W 'run replay list' -- "$cur") ;;
        "bmsim run:0") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -W 'afe-reset cell-ahead cold-morning deep-discharge demo over-voltage-cell sensor-lost' -- "$cur") ;;
        "bmsim replay:0") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -F _bmsim bmsim
