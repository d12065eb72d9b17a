#compdef runbook
# Completion of runbook for zsh: put this as _runbook into a folder of $fpath.
_runbook() {
    local line value files=0
    local -a values shown open open_shown
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=1
            continue
        fi
        value=${line%%$'\t'*}
        if [[ $value == *= ]]; then
            open+=("$value")
            open_shown+=("$value  ${line#*$'\t'}")
        else
            values+=("$value")
            shown+=("$value  ${line#*$'\t'}")
        fi
    done < <("${words[1]}" __complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#values} )) && compadd -l -d shown -a values
    (( ${#open} )) && compadd -l -S '' -d open_shown -a open
    (( files )) && _files
}
if [[ ${funcstack[1]} == _runbook ]]; then
    _runbook "$@"
else
    compdef _runbook runbook
fi
