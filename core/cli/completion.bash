# Completion of the accord command for bash; zsh takes it after `autoload bashcompinit; bashcompinit`.
# The command itself knows what may come: `accord complete WORD...`.
_accord() {
    local words=() options=() i word
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#words[@]} == 0 && i < COMP_CWORD)); then
            case $word in
            --conf) options+=("$word" "${COMP_WORDS[++i]}"); continue ;;
            --state) ((++i)); continue ;;
            --json) continue ;;
            esac
        fi
        words+=("$word")
    done
    if ((${#words[@]} == 0)) || [[ ${COMP_WORDS[COMP_CWORD - 1]} =~ ^--(conf|state)$ ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
    elif ((${#words[@]} == 1)) && [[ ${words[0]} == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--conf --state --json --help --version" -- "${words[0]}")
    else
        mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" "${options[@]}" complete "${words[@]}" 2>/dev/null)
    fi
}
complete -o default -F _accord accord
