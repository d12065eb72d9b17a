# Completion of runbook for bash: source this, or put it into /etc/bash_completion.d/.
_runbook() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default 2>/dev/null
        elif [[ $line == *= ]]; then
            compopt -o nospace 2>/dev/null
            COMPREPLY+=("$line")
        else
            COMPREPLY+=("$(printf '%q' "$line")")
        fi
    done < <("${COMP_WORDS[0]}" __complete bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _runbook runbook
