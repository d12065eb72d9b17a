# What both the exchanges and the detached wrapper need.

# sync_paths PATH…: on the disk when it returns. A `sync` that takes no paths syncs everything; one that fails because
# the paths have been removed meanwhile need not.
sync_paths() {
    # Else it would read the files of a language, which are more than itself.
    LC_ALL=C sync "$@" 2>/dev/null || [ ! -e "$1" ] || sync
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

# stat_of PID: its line of /proc in $stat_line, and in $stat_fields what follows its name there, which may hold anything.
# Starts no process. A long match takes a shell longer than reading the line.
stat_of() {
    stat_line= stat_fields=
    IFS= read -r stat_line 2>/dev/null <"/proc/$1/stat" || return 1
    # Quoted: some shells take the beginning of a pattern for another.
    stat_fields=${stat_line#*"("}
    stat_fields=${stat_fields#*") "}
    case $stat_fields in *')'*) stat_fields=${stat_line##*) } ;; esac
}

# born_when PID: when the process started, in ticks since boot, in $born_then; nothing if it is gone.
born_when() {
    born_then=
    stat_of "$1" || return 0
    set -f
    set -- $stat_fields
    set +f
    case $1 in Z | X) ;; *) shift 19; born_then=$1 ;; esac
}

# birth PID: the same, printed.
birth() {
    born_when "$1"
    echo "$born_then"
}

# alive PID BORN: is this process, born then, still there?
alive() {
    born_when "$1"
    [ -n "$born_then" ] && [ "$born_then" = "$2" ]
}

# wake: tells whoever follows to look: the process $follower, which must be the one that was born then.
wake() {
    if [ -n "$follower_born" ] && alive "$follower" "$follower_born"; then
        kill -USR1 "$follower" 2>/dev/null
    fi
}

# own: this very process, which may be a subshell, where `$$` is another: its number in $self, when it started in
# $born (empty without /proc), its terminal in $terminal (0: none). Starts no process where there is a /proc.
own() {
    self= born= terminal=
    if stat_of self; then
        self=${stat_line%% *}
        set -f
        set -- $stat_fields
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
    [ -n "$boot" ] || read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id || :
}
