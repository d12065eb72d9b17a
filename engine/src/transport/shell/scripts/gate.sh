# The wrapper that runs a command at most once (the gate). Outlives the connection and the engine: nothing of theirs
# is open in it.
#
# Files of the marker directory, each complete when its name appears:
#   gate    whoever links it first decides: `start …` the command runs, `revoke` it never will
#   stdin   the command's input     stdout, stderr   its output     job   its process; empty when that has ended
#   rc      how it ended; written last

# gate MARKER TOKEN EPOCH LIMIT WHOLE: the variable `command` sets the command's words, `exports` its environment;
# `mask`, `follower` and `follower_born` are for `supervise`; `unit_name` names the unit that it is, if it is one
# (unit.sh). To be called in a process of its own.
gate() {
    marker=$1 token=$2 epoch=$3 limit=$4 whole=$5
    umask 077
    own
    this_boot
    # They are there before the gate is, so that whoever sees the gate can read them.
    : >>"$marker/stdout"
    : >>"$marker/stderr"
    printf 'start\nboot %s\nepoch %s\npid %s\nborn %s\ntoken %s\nunit %s\n' \
        "$boot" "$epoch" "$self" "$born" "$token" "$unit_name" >"$marker/start.$token" || : >"$marker/start.$token"
    # Where it cannot be written, nothing begins: nobody could be told how it ended.
    if [ ! -s "$marker/start.$token" ]; then
        rm -f "$marker/start.$token"
        exit 0
    fi
    if ! ln "$marker/start.$token" "$marker/gate" 2>/dev/null; then
        rm -f "$marker/start.$token"
        exit 0
    fi
    # The command starts only after its gate, and all that leads to it, is on the disk. A gate that a power failure
    # leaves empty is an unknown outcome.
    sync_paths "$marker/gate" "$marker" "${marker%.*}.epoch" "${marker%/*}"

    job_file=$marker/job sweep=
    input=/dev/null
    [ ! -e "$marker/stdin.$token" ] || input=$marker/stdin.$token
    eval "$command"
    notice=$(supervise "$limit" "$whole" 5 "$@" 3<"$input" 4>>"$marker/stdout" 5>>"$marker/stderr" 2>&1)
    # Whoever follows need not wait until it is on the disk: that is for those who come when the follower is gone.
    how_it_ended "$notice" >"$marker/rc.$token"
    wake
    set -- "$marker/rc.$token"
    [ ! -s "$marker/stdout" ] || set -- "$@" "$marker/stdout"
    [ ! -s "$marker/stderr" ] || set -- "$@" "$marker/stderr"
    sync_paths "$@"
    mv "$marker/rc.$token" "$marker/rc"
    [ "$input" = /dev/null ] || rm -f "$input"
    # A follower has its answer by now.
    [ -n "$follower_born" ] || sync_paths "$marker"
}
