# What both the exchanges and the detached wrapper need.

# sync_paths PATH…: on the disk when it returns. A `sync` that takes no paths syncs everything; one that fails because
# the paths have been removed meanwhile need not.
sync_paths() {
    sync "$@" 2>/dev/null || [ ! -e "$1" ] || sync
}

# how_it_ended NOTICE: turns what `supervise` printed into `exit N`, `signal N` or `timeout`, in $how; `lost` where it makes
# no sense.
how_it_ended() {
    ended=${1##*job=}
    job=${ended%% *}
    ended=${ended#* status }
    status=${ended%% *}
    how=lost
    case $ended in *timeout.*) how=timeout; return ;; esac
    case $status in '' | *[!0-9]*) return ;; esac
    how="exit $status"
    if [ "$status" -gt 128 ] && [ "$status" -le 192 ]; then
        case $1 in
        *"Done($status)"* | *"[1]"*"Exit $status"*) ;;
        *"[1]"* | *" $job "*) how="signal $((status - 128))" ;;
        esac
    fi
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

# alive PID BORN: is this process, born then, still there?
alive() {
    IFS= read -r stat_line 2>/dev/null <"/proc/$1/stat" || return 1
    born_then=$2
    set -f
    set -- ${stat_line##*) }
    set +f
    case $1 in Z | X) return 1 ;; esac
    shift 19
    [ "$1" = "$born_then" ]
}

# own: this very process, which may be a subshell, where `$$` is another: its number in $self, when it started in
# $born (empty without /proc), its terminal in $terminal (0: none). Starts no process where there is a /proc.
own() {
    self= born= terminal=
    if IFS= read -r stat_line 2>/dev/null </proc/self/stat; then
        self=${stat_line%% *}
        set -f
        set -- ${stat_line##*) }
        set +f
        terminal=$5
        shift 19
        born=$1
    else
        self=$(exec sh -c 'echo "$PPID"')
    fi
}

# this_boot: names this boot of the host in $boot.
this_boot() {
    boot=
    read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id || :
}
