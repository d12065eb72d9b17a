# An exchange that is the wrapper itself: no process more than the command needs. It can be where it is a process beside
# the shell that serves it, so that nobody's end takes it along, and where this shell can tell without job control how a
# command ended.

# tells: is it so here?
tells() {
    [ -n "$inline" ] && [ -z "$BASH_VERSION$KSH_VERSION$ZSH_VERSION" ] && [ "$terminal" = 0 ] && ! manager
}

# tell LIMIT WHOLE OUTPUT_LIMIT: runs the command and says how it ended; does not return.
tell() {
    limit=$1 whole=$2 grace=5 output_limit=$3 token=$nonce unit_name= sweep= teller=
    # Whoever listens may go; the command goes on, and how it ends is recorded.
    trap : HUP INT QUIT PIPE
    if ! pass_gate; then
        [ "$why" = full ] || taken
        unknown "nothing can be written into ${marker%/*} (is the disk full?), so it cannot be settled whether the command ran"
    fi
    gate_pid=$self gate_born=$born gate_boot=$boot gate_unit=
    out=0 err=0 job=
    eval "$command"
    start_job "$@" 3<"$input" 4>>"$marker.stdout" 5>>"$marker.stderr"
    # In the trap itself: between a look at what it has noted and `wait` there is always a moment.
    trap 'woken=1; hand_over' USR1
    await_job
    notice="job=$job status $status $timed."
    if [ "$status" -gt 128 ]; then
        # Not `$(jobs)`: a subshell has no jobs.
        jobs >"$marker.jobs"
        notice=$(head -c 1024 "$marker.jobs")$notice
        rm -f "$marker.jobs"
    fi
    how_it_ended "$notice"
    echo "$how" >>"$gate_file"
    tidy_job
    if [ -n "$teller" ]; then
        keep_safe
        wait "$teller"
        exit
    fi
    # The last of them is made safe when no more exchanges follow (settle_last): the engine has recorded the others.
    [ "$input" = /dev/null ] || rm -f "$input"
    finish "$output_limit" "$how"
}

# hand_over: it takes longer; from now on another process tells, and this one only waits for the command.
hand_over() {
    # Not of one whose end is known: a shell forgets such a job when it begins another.
    [ -z "$teller" ] && kill -0 "$job" 2>/dev/null || return 0
    # Nobody wakes the other one, see above: it looks often enough.
    trap '' USR1
    (
        trap - HUP INT QUIT PIPE USR2
        follow "$output_limit"
    ) </dev/null >/dev/null 2>&1 3<&- &
    teller=$!
    exec 6>&- 7>&- >/dev/null 2>&1
}
