# Completion of bmsd-link in bash.
# Made by './run docs' from the program's own options and the tables of bmsd.

_bmsd_link() {
    local at=bmsd-link place=0 cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word i
    # Bash splits --option=value and name=value at the sign.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case "$at $word" in
            *" --config" | *" --runtime-dir") [[ ${COMP_WORDS[i+1]} == = ]] && i=$((i + 1)); i=$((i + 1)) ;;
            *" "-* | *" =") ;;
            *) place=$((place + 1)) ;;
        esac
    done
    COMPREPLY=()
    case "$at $prev" in
        "bmsd-link --config") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        "bmsd-link --runtime-dir") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    esac
    if [[ $cur == -* ]]; then
        case $at in
            "bmsd-link") mapfile -t COMPREPLY < <(compgen -W '-h --help --config --runtime-dir --version' -- "$cur") ;;
        esac
        return
    fi
    [[ ${COMP_WORDS[COMP_CWORD]} == = || ${COMP_WORDS[COMP_CWORD-1]} == = ]] && return
    case "$at:$place" in
        "bmsd-link:0") mapfile -t COMPREPLY < <(compgen -W 'can modbus meter journal' -- "$cur") ;;
    esac
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}
complete -F _bmsd_link bmsd-link
