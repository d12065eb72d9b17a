# supervise LIMIT WHOLE GRACE WORD…: runs one command under a watchdog, in a session of its own, and prints how it
# ended, for `how_it_ended`. To be called in a subshell.
# Seconds; LIMIT may have a fraction, WHOLE is its ceiling; both empty: no limit; GRACE: between TERM and KILL.
# File descriptors 3, 4, 5 are the command's standard input, output and error. Variables: `exports` holds its
# `export` lines; `mask` its umask; `gate_file` is the record where its process is noted while it is there; `sweep`:
# what it leaves behind in its process group is killed. All but `exports` may be empty.
# A shell's `wait` cannot tell `exit 137` from a KILL. What dash and busybox print for `jobs`, and what bash prints
# by itself when it controls jobs, can.
supervise() {
    # What `$( )` runs, bash does not tell of its jobs; a subshell of it, it does.
    if [ -n "$BASH_VERSION" ]; then (supervise_job "$@"); else supervise_job "$@"; fi
}

supervise_job() {
    limit=$1 whole=$2 grace=$3
    shift 3
    own
    # Bash with job control gives every job a process group; as `sh` it would say nothing of a job that ended, so it
    # must not be strictly POSIX here.
    if [ -n "$BASH_VERSION" ]; then
        set +o posix
        set -m
    fi
    start_job "$@"
    exec 3<&- 4>&- 5>&-
    await_job
    [ "$status" -le 128 ] || jobs
    echo "job=$job status $status $timed."
    tidy_job
}

# start_job WORD…: the command begins, and its watchdog.
start_job() {
    [ -n "$setsid" ] || setsid=$(command -v setsid)
    timed= woken= watch=
    trap 'timed=timeout woken=1; kill -15 "-$job" 2>/dev/null' USR2
    (
        trap - USR1 USR2
        [ -z "$mask" ] || umask "$mask"
        eval "$exports"
        apart "$@" <&3 >&4 2>&5 3<&- 4>&- 5>&- 6>&- 7>&-
    ) &
    job=$!
    [ -z "$gate_file" ] || echo "job $job" >>"$gate_file"
    if [ -n "$limit" ]; then
        (watch) </dev/null >/dev/null 2>&1 3<&- 4>&- 5>&- 6>&- 7>&- &
        watch=$!
    fi
}

# await_job: until it has ended; its $status. A signal to us ends a `wait`, which is then not the command's.
await_job() {
    while :; do
        woken=
        wait "$job"
        status=$?
        [ -n "$woken" ] && [ "$status" -gt 128 ] || break
    done
    # What is written from now on must not be interrupted: busybox would write it twice, or elsewhere.
    trap '' USR1 USR2
    # From now on its number may be another process's.
    [ -z "$gate_file" ] || echo job >>"$gate_file"
}

# tidy_job: ends what is left of it where it was to end, and the watchdog.
tidy_job() {
    if [ -n "$timed$sweep" ]; then kill -9 "-$job" 2>/dev/null; fi
    if [ -n "$watch" ]; then kill -15 "$watch" 2>/dev/null; fi
}

# apart WORD…: becomes the command, in a process group of its own.
apart() {
    if [ -n "$BASH_VERSION" ]; then exec -- "$@"; else exec "$setsid" -- "$@"; fi
}

# nap SECONDS: sleeps, and can be ended by TERM (`watch` has the trap), also while the sleep begins.
nap() {
    begins=1
    sleep "$1" 2>/dev/null &
    sleeper=$! begins=
    [ -z "$over" ] || leave
    wait "$sleeper"
}

# doze EXACT WHOLE: the same, for a `sleep` that may know whole seconds only.
doze() {
    nap "$1" || nap "$2"
    sleeper=
}

# leave: nothing is left to watch.
leave() {
    [ -z "$sleeper" ] || kill -9 "$sleeper" 2>/dev/null
    exit
}

# watch: ends the command when its time is up. TERM ends it.
watch() {
    sleeper= begins= over=
    trap 'over=1; [ -n "$begins" ] || leave' TERM
    trap - USR1 USR2
    doze "$limit" "$whole"
    kill -USR2 "$self" || exit
    doze "$grace" "$grace"
    kill -9 "-$job"
}
