# What systemd runs when a command's unit ends.
# stop MARKER: somebody stops it. The command is told, and the wrapper gets the time to record how it ended.
# over MARKER TOKEN: nothing of it runs any more. If the wrapper was killed before its command had ended, then systemd
# killed the command with it, and that is how it ended.
umask 077
marker=$2
job=
IFS= read -r job 2>/dev/null <"$marker/job"
case $job in *[!0-9]*) exit 0 ;; esac
case $1 in
stop)
    # Systemd knows no main process any more if the wrapper has ended by itself.
    [ -n "$MAINPID" ] && [ -n "$job" ] || exit 0
    kill -15 "-$job"
    until [ -e "$marker/rc" ] || ! kill -0 "$MAINPID"; do sleep 0.1 2>/dev/null || sleep 1; done
    ;;
over)
    rm -f "$0"
    case $(cat "$marker/gate") in *"token $3"*) ;; *) exit 0 ;; esac
    [ ! -e "$marker/rc" ] || exit 0
    if [ -n "$job" ]; then echo 'signal 9' >"$marker/rc.$3"; fi
    # Else the command had ended by itself: what the wrapper wrote of that, if it came to it.
    [ -s "$marker/rc.$3" ] || exit 0
    sync "$marker/rc.$3" || sync
    mv "$marker/rc.$3" "$marker/rc"
    sync "$marker" || sync
    ;;
esac
