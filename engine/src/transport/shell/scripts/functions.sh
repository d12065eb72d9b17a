# What both the exchanges and the detached wrapper need.

# sync_paths PATH…: on the disk when it returns. A `sync` that takes no paths syncs everything.
sync_paths() {
    sync "$@" 2>/dev/null || sync
}

# how_it_ended NOTICE: turns what supervise.sh printed into `exit N`, `signal N` or `timeout`.
how_it_ended() {
    ended=${1##*job=}
    job=${ended%% *}
    ended=${ended#* status }
    status=${ended%% *}
    case $ended in *timeout.*) echo timeout; return ;; esac
    case $status in '' | *[!0-9]*) echo lost; return ;; esac
    if [ "$status" -gt 128 ] && [ "$status" -le 192 ]; then
        case $1 in
        *"Done($status)"* | *"[1]"*"Exit $status"*) ;;
        *"[1]"* | *" $job "*) echo "signal $((status - 128))"; return ;;
        esac
    fi
    echo "exit $status"
}

# birth PID: when the process started, in ticks since boot; nothing if it is gone.
birth() {
    if IFS= read -r stat_line 2>/dev/null <"/proc/$1/stat"; then
        set -f
        set -- ${stat_line##*) }
        set +f
        case $1 in Z | X) ;; *) shift 19; echo "$1" ;; esac
    fi
}
