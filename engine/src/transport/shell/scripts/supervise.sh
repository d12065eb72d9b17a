# Runs one command under a watchdog, in a session of its own, and says how it ended.
# Started by `sh -c` with: LIMIT WHOLE GRACE WORD…   (seconds; LIMIT may have a fraction, WHOLE is its ceiling;
# both empty: no limit; GRACE: between TERM and KILL). File descriptors 3, 4, 5 are the command's standard
# input, output and error; RUNBOOK_EXPORTS holds its `export` lines.
# A shell's `wait` cannot tell `exit 137` from a KILL. What dash and busybox print for `jobs`, and what bash prints
# by itself when it controls jobs, can; `how_it_ended` (functions.sh) reads both.
limit=$1 whole=$2 grace=$3
shift 3
setsid=$(command -v setsid)
exports=$RUNBOOK_EXPORTS
unset RUNBOOK_EXPORTS
timed= woken= watch=
# apart WORD…: becomes the command, in a process group of its own. Bash with job control gives one by itself;
# as `sh` it would say nothing of a job that ended, so it must not be strictly POSIX here.
if [ -n "$BASH_VERSION" ]; then
    set +o posix
    set -m
    apart() { exec -- "$@"; }
else
    apart() { exec "$setsid" -- "$@"; }
fi
trap 'timed=timeout woken=1; kill -15 "-$job" 2>/dev/null' USR1
(
    trap - USR1
    umask "${RUNBOOK_UMASK:-$(umask)}"
    unset RUNBOOK_UMASK RUNBOOK_JOB_FILE RUNBOOK_SWEEP
    eval "$exports"
    apart "$@" <&3 >&4 2>&5 3<&- 4>&- 5>&-
) &
job=$!
# A process's own birth (field 22 of its stat) tells it from a later one with the same number.
[ -z "$RUNBOOK_JOB_FILE" ] || echo "$job" >"$RUNBOOK_JOB_FILE"
if [ -n "$limit" ]; then
    (apart sh -c '
        sleep "$1" 2>/dev/null || sleep "$2"
        kill -USR1 "$3" || exit
        sleep "$4"
        kill -9 "-$5"
    ' runbook-watch "$limit" "$whole" "$$" "$grace" "$job") </dev/null >/dev/null 2>&1 3<&- 4>&- 5>&- &
    watch=$!
fi
exec 3<&- 4>&- 5>&-
while :; do
    woken=
    wait "$job"
    status=$?
    [ -n "$woken" ] || break
done
jobs %1
echo "job=$job status $status $timed."
if [ -n "$timed$RUNBOOK_SWEEP" ]; then kill -9 "-$job" 2>/dev/null; fi
if [ -n "$watch" ]; then kill -9 "-$watch" 2>/dev/null || kill -9 "$watch" 2>/dev/null; fi
