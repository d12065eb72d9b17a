# The wrapper that runs a command at most once (the gate). Outlives the connection and the engine.
#
# Files of an attempt, where MARKER is their path without these endings:
#   .gate             the record. Whoever makes it decides: it begins with `start` (the command runs) or `revoke` (it
#                     never will) and facts. The wrapper adds a line at a time: `job N`, its process; `job`, when that is
#                     gone; how it ended; `safe`, when all of it is on the disk
#   .stdout, .stderr  its output
# and in `pending` beside them, for a while, MARKER's name with the word of the exchange: its input, what begins a unit.

# make_gate TEXT: makes the record; fails with $why where somebody else has (`taken`) or nothing can be written (`full`).
make_gate() {
    why=taken written=
    set -C
    { why=full && printf '%s\n' "$1" && written=yes; } 2>/dev/null >"$marker.gate"
    set +C
    [ -z "$written" ] || [ ! -s "$marker.gate" ] || return 0
    [ "$why" = taken ] || rm -f "$marker.gate"
    [ -e "$marker.gate" ] || why=full
    return 1
}

# pass_gate: as make_gate, with what the wrapper has to say. Where it cannot be written, nothing begins: nobody could be
# told how it ended.
pass_gate() {
    this_boot
    # They are there before the gate is, so that whoever sees the gate can read them.
    true >>"$marker.stdout"
    true >>"$marker.stderr"
    gate_file=$marker.gate
    make_gate "start
boot $boot
epoch $epoch
pid $self
born $born
token $token
unit $unit_name" || return 1
    # The command starts only after the name of its record is on the disk. What stands in it matters while this boot lasts:
    # one that a power failure leaves empty is an unknown outcome, as is one that tells of another boot.
    sync_paths "${marker%/*}"
    input=${marker%/*}/pending/${marker##*/}.$token.stdin
    [ -e "$input" ] || input=/dev/null
}

# gate MARKER TOKEN EPOCH LIMIT WHOLE: the variable `command` sets the command's words, `exports` its environment;
# `mask` is for `supervise`, `follower` and `follower_born` for `wake`; `unit_name` names the unit that it is, if it is
# one (unit.sh). To be called in a process of its own, in which nothing of the engine is open.
gate() {
    marker=$1 token=$2 epoch=$3 limit=$4 whole=$5
    umask 077
    own
    pass_gate || exit 0
    eval "$command"
    notice=$(supervise "$limit" "$whole" 5 "$@" 3<"$input" 4>>"$marker.stdout" 5>>"$marker.stderr" 2>&1)
    how_it_ended "$notice"
    echo "$how" >>"$gate_file"
    # Whoever follows need not wait until it is on the disk: that is for those who come when the follower is gone.
    wake
    keep_safe
    # A follower has its answer by now.
    [ -n "$follower_born" ] || sync_paths "$gate_file"
}

# keep_safe: how it ended, and what it put out, is on the disk, and a line says so.
keep_safe() {
    set -- "$marker.gate"
    [ ! -s "$marker.stdout" ] || set -- "$@" "$marker.stdout"
    [ ! -s "$marker.stderr" ] || set -- "$@" "$marker.stderr"
    sync_paths "$@"
    # Not where the markers have been removed meanwhile.
    [ ! -e "$marker.gate" ] || echo safe >>"$marker.gate"
    [ "${input:-/dev/null}" = /dev/null ] || rm -f "$input"
}
