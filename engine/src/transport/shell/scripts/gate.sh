# The wrapper that runs a command at most once (the gate). Runs detached, in a session of its own, so that it
# outlives the connection and the engine.
# MARKER TOKEN EPOCH LIMIT WHOLE MASK; the command's words come as `set --` in RUNBOOK_WORDS, its exports in
# RUNBOOK_EXPORTS, so that nobody reads them in the list of processes; $supervise in RUNBOOK_SUPERVISE.
#
# Files of the marker directory, each complete when its name appears:
#   gate    whoever links it first decides: `start …` the command runs, `revoke` it never will
#   stdin   the command's input     stdout, stderr   its output     job   its process
#   rc      how it ended; written last
marker=$1 token=$2 epoch=$3 limit=$4 whole=$5 mask=$6
umask 077
# They are there before the gate is, so that whoever sees the gate can read them.
: >>"$marker/stdout"
: >>"$marker/stderr"
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
born=$(birth "$$")
printf 'start\nboot %s\nepoch %s\npid %s\nborn %s\ntoken %s\n' "$boot" "$epoch" "$$" "$born" "$token" >"$marker/start.$token"
sync_paths "$marker/start.$token"
ln "$marker/start.$token" "$marker/gate" 2>/dev/null
won=$?
rm -f "$marker/start.$token"
[ "$won" = 0 ] || exit 0
sync_paths "$marker"

supervise=$RUNBOOK_SUPERVISE
eval "$RUNBOOK_WORDS"
unset RUNBOOK_SUPERVISE RUNBOOK_WORDS
export RUNBOOK_UMASK="$mask" RUNBOOK_JOB_FILE="$marker/job"
notice=$(exec sh -c "$supervise" runbook-gate "$limit" "$whole" 5 "$@" \
    3<"$marker/stdin.$token" 4>>"$marker/stdout" 5>>"$marker/stderr" 2>&1)

sync_paths "$marker/stdout" "$marker/stderr"
how_it_ended "$notice" >"$marker/rc.$token"
sync_paths "$marker/rc.$token"
mv "$marker/rc.$token" "$marker/rc"
rm -f "$marker/stdin.$token"
sync_paths "$marker"
