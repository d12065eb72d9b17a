# The wrapper as a transient unit, where systemd is there: logind ends what is in a session with it, and a pod's
# container what is in its control group, but not a unit of the host. Files stay the truth; the unit adds who is asked
# whether the wrapper lives, and a word on how the command ended when the wrapper was killed.

# manager: how systemd is reached, in $manager and $runtime; fails where commands are to start without it.
manager() {
    [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1 || return 1
    first=
    IFS= read -r first 2>/dev/null </proc/1/comm
    [ "$first" = systemd ] || return 1
    runtime=$XDG_RUNTIME_DIR
    if [ "$me" = 0 ]; then
        # A container that merely sees the host's /run has other files than its systemd.
        [ /proc/1/root -ef / ] || return 1
        manager=--system
    else
        # Units of users who do not linger end with their last session.
        runtime=/run/user/$me
        [ -e "/var/lib/systemd/linger/$(id -un)" ] && [ -S "$runtime/systemd/private" ] || return 1
        manager=--user
    fi
}

# start_unit ARGUMENT…: starts `gate` with these arguments; fails if it was not started so.
start_unit() {
    # Neither a word that systemd would expand, nor one that it would split.
    case $marker in *[!A-Za-z0-9/._-]*) return 1 ;; esac
    manager || return 1
    unit_name=runbook-${marker##*/}
    open_pending
    begins=$pending.begin ends=$pending.end
    # In a file and not in the unit, whose words and variables everybody on the host can read.
    printf '%s\n' "$unit_end" >"$ends"
    (
        export RUNBOOK_WRAPPER="$wrapper" RUNBOOK_COMMAND="$command" RUNBOOK_EXPORTS="$exports"
        export -p
        echo "mask=$mask follower=$follower follower_born=$follower_born unit_name=$unit_name"
        printf '%s\n' boot= 'command=$RUNBOOK_COMMAND exports=$RUNBOOK_EXPORTS wrapper=$RUNBOOK_WRAPPER' \
            'unset RUNBOOK_COMMAND RUNBOOK_EXPORTS RUNBOOK_WRAPPER' 'rm -f "$0"' 'eval "$wrapper"' 'gate "$@"'
    ) >"$begins"
    shell=$(command -v sh)
    XDG_RUNTIME_DIR=$runtime systemd-run "$manager" --quiet --collect --service-type=exec "--unit=$unit_name" \
        --property=KillMode=mixed --working-directory="$PWD" \
        "--property=ExecStop=$shell $ends stop $marker" \
        "--property=ExecStopPost=$shell $ends over $marker $nonce" \
        "$shell" "$begins" "$@" </dev/null >/dev/null 2>&1 3<&- 6>&- 7>&- && return
    rm -f "$begins" "$ends"
    unit_name=
    return 1
}

# unit_lives UNIT: is it there, if only to be ended?
unit_lives() {
    case $1 in '' | *[!A-Za-z0-9._-]*) return 1 ;; esac
    manager || return 1
    case $(XDG_RUNTIME_DIR=$runtime systemctl "$manager" show --property=ActiveState "$1.service" 2>/dev/null) in
    *=active | *=activating | *=deactivating) ;;
    *) return 1 ;;
    esac
}
