# LIMIT WHOLE WORD…: runs a command that only reads; $supervise and $exports are set by the engine.
limit=$1 whole=$2
shift 2
notice=$(RUNBOOK_EXPORTS=$exports RUNBOOK_SWEEP=1 exec sh -c "$supervise" runbook-probe "$limit" "$whole" 2 "$@" 4>&6 5>&7 2>&1 6>&- 7>&-)
end "$(how_it_ended "$notice")"
