# What systemd runs when a command's unit ends.
# stop MARKER: somebody stops it. The command is told, and the wrapper gets the time to record how it ended.
# over MARKER TOKEN: nothing of it runs any more. If the wrapper was killed before its command had ended, then systemd
# killed the command with it, and that is how it ended.
umask 077
marker=$2
# look: what the record says: the job while it is there, how it ended, whose gate it is.
look() {
    job= how= owner=
    while read -r key value; do
        case $key in
        job) job=$value ;;
        token) owner=$value ;;
        exit | signal | timeout | lost) how=$key ;;
        esac
    done <"$marker.gate"
}
look 2>/dev/null
case $job in *[!0-9]*) exit 0 ;; esac
case $1 in
stop)
    # Systemd knows no main process any more if the wrapper has ended by itself.
    [ -n "$MAINPID" ] && [ -n "$job" ] || exit 0
    kill -15 "-$job"
    until [ -n "$how" ] || ! kill -0 "$MAINPID"; do
        sleep 0.1 2>/dev/null || sleep 1
        look
    done
    ;;
over)
    rm -f "$0"
    [ "$owner" = "$3" ] || exit 0
    # Without a job: it had ended by itself, and what the wrapper knew of that is gone with it.
    [ -n "$how$job" ] || exit 0
    [ -n "$how" ] || echo 'signal 9' >>"$marker.gate"
    sync "$marker.gate" "$marker.stdout" "$marker.stderr" || sync
    echo safe >>"$marker.gate"
    sync "$marker.gate" || sync
    ;;
esac
