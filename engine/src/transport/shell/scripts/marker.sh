# The engine's side of the gate: finds the marker directory, launches, asks, follows, forgets.
# TOP is where the markers live; empty for the user's own place.
top=$1
shift

# private DIRECTORY: makes it if missing; refuses one that others could have prepared or can change.
private() {
    [ ! -h "$1" ] || refuse "$1 is a symbolic link; the markers of commands need a directory of their own there: remove the link"
    if [ ! -d "$1" ]; then
        (umask 077 && mkdir -p "$1") 2>/dev/null || [ -d "$1" ] ||
            refuse "$1 cannot be made by $(id -un 2>/dev/null || id -u): the markers of commands are kept there"
        sync_paths "${1%/*}"
    fi
    listed=$(LC_ALL=C ls -ldn "$1")
    directory=$1
    set -f
    set -- $listed
    set +f
    case $1 in
    d????-??-*) ;;
    *) refuse "$directory can be written by others ($1): the markers of commands must be safe from them; chmod it to 700" ;;
    esac
    [ "$3" = "$(id -u)" ] || refuse "$directory belongs to user $3, not to $(id -u), who runs the commands; remove it or give it back"
}

if [ -z "$top" ]; then
    if [ "$(id -u)" = 0 ]; then
        top=/var/lib/runbook
    elif [ -n "$XDG_STATE_HOME$HOME" ]; then
        top=${XDG_STATE_HOME:-$HOME/.local/state}/runbook
    else
        refuse "HOME is not set, so there is no place for the markers of commands"
    fi
fi
base=$top/ops

# open_marker OPERATION ATTEMPT: $marker is there and ours.
open_marker() {
    private "$top"
    private "$base"
    marker=$base/$1.$2
    private "$marker"
}

# register_epoch OPERATION EPOCH: names that only ever appear need no lock: whoever is lower than a name that
# was there first sees it, because each writes its own before it looks.
register_epoch() {
    private "$base/$1.epoch"
    : >"$base/$1.epoch/$2"
    sync_paths "$base/$1.epoch"
    for seen in "$base/$1.epoch"/*; do
        case ${seen##*/} in *[!0-9]*) refuse "$seen is no epoch: something else than runbook has written there; look at it, then remove it" ;; esac
        [ "${seen##*/}" -le "$2" ] 2>/dev/null ||
            refuse "a newer engine (epoch ${seen##*/}) has taken over this operation; this one has epoch $2 and must stop"
    done
}

# small FILE: the beginning of a marker file. Ours are tiny; whatever else lies there must not fill the memory.
small() {
    head -c 1024 "$marker/$1" 2>/dev/null
}

# read_gate: the facts of `gate` in $gate_*.
read_gate() {
    gate_kind= gate_boot= gate_pid= gate_born= gate_token=
    gate_text=$(small gate)
    while read -r key value; do
        case $key in
        start | revoke) gate_kind=$key ;;
        boot) gate_boot=$value ;;
        pid) gate_pid=$value ;;
        born) gate_born=$value ;;
        token) gate_token=$value ;;
        esac
    done <<GATE
$gate_text
GATE
    # A number of a process is looked up below /proc and asked for: nothing else may stand there.
    case $gate_pid$gate_born in *[!0-9]*) gate_kind= ;; esac
    case $gate_kind in
    start | revoke) ;;
    *) end "unknown the gate of this command holds something that runbook did not write (in $marker)" ;;
    esac
}

# running: is the wrapper that holds the gate alive?
running() {
    [ "$gate_boot" = "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ] || return 1
    if [ -n "$gate_born" ]; then
        [ "$(birth "$gate_pid")" = "$gate_born" ]
    else
        kill -0 "$gate_pid" 2>/dev/null
    fi
}

# gone: why there is no exit status.
gone() {
    if [ "$gate_boot" != "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ]; then
        end "unknown it had started, then the host restarted; it left no exit status"
    fi
    still= job=$(small job)
    case $job in
    '' | *[!0-9]*) ;;
    *) [ -z "$(birth "$job")" ] || still="; process $job, which it started, may still run" ;;
    esac
    end "unknown it had started and its wrapper (process $gate_pid) was killed before it could record an exit status$still"
}

# length FILE: its bytes. Busybox's `wc` would read the whole file each time that we look.
length() {
    stat -L -c %s "$marker/$1" 2>/dev/null || wc -c <"$marker/$1" 2>/dev/null
}

# piece LETTER FILE OFFSET LIMIT: sends what is new; the new offset is in $offset.
piece() {
    size=$(($(length "$2")))
    [ "$size" -le "$4" ] || size=$4
    offset=$3
    if [ "$size" -gt "$3" ]; then
        printf '%s %s\n' "$1" "$((size - $3))" >&6
        tail -c "+$(($3 + 1))" "$marker/$2" | head -c "$((size - $3))" >&6
        offset=$size
    fi
}

# pieces LIMIT: sends what is new in both streams.
pieces() {
    piece o stdout "$out" "$1"
    out=$offset
    piece e stderr "$err" "$1"
    err=$offset
}

# finish LIMIT: sends the rest and how it ended.
finish() {
    how=$(small rc)
    case ${how#* } in
    timeout) ;;
    '' | *[!0-9]* | ????*) how=lost ;;
    esac
    case $how in
    exit\ * | signal\ * | timeout) ;;
    *) end "unknown it had started and is gone, and nobody recorded an exit status that makes sense" ;;
    esac
    pieces "$1"
    end "ended $(($(length stdout))) $(($(length stderr))) $how"
}

# follow LIMIT: sends output while it comes, until the command has ended.
follow() {
    out=0 err=0 round=0
    while :; do
        [ ! -e "$marker/rc" ] || finish "$1"
        pieces "$1"
        running || [ -e "$marker/rc" ] || gone
        round=$((round + 1))
        # A sign of life now and then ends this loop with SIGPIPE when nobody listens any more.
        [ $((round % 20)) != 0 ] || printf 'b 0\n' >&6
        if [ "$round" -lt 10 ]; then pause=0.03; elif [ "$round" -lt 30 ]; then pause=0.1; else pause=0.3; fi
        sleep "$pause" 2>/dev/null || sleep 1
    done
}

# revoke: takes the gate; succeeds if nobody had it.
revoke() {
    (umask 077 && printf 'revoke\n' >"$marker/revoke.$nonce")
    sync_paths "$marker/revoke.$nonce"
    ln "$marker/revoke.$nonce" "$marker/gate" 2>/dev/null
    revoked=$?
    rm -f "$marker/revoke.$nonce"
    sync_paths "$marker"
    return "$revoked"
}

# launch OPERATION ATTEMPT EPOCH LIMIT WHOLE INPUT_LENGTH MODE OUTPUT_LIMIT
launch() {
    open_marker "$1" "$2"
    register_epoch "$1" "$3"
    [ ! -e "$marker/gate" ] || taken
    mask=$(umask)
    umask 077
    cat <&3 >"$marker/stdin.$nonce"
    # A connection that breaks ends the input early: the command must not see half of it.
    [ "$(($(wc -c <"$marker/stdin.$nonce")))" -eq "$6" ] || refuse "the command's input did not arrive whole (is the disk full?)"
    RUNBOOK_WORDS=$command RUNBOOK_EXPORTS=$exports RUNBOOK_SUPERVISE=$supervise \
        "$(command -v setsid)" sh -c "$wrapper" runbook-gate "$marker" "$nonce" "$3" "$4" "$5" "$mask" \
        </dev/null >/dev/null 2>&1 3<&- 6>&- 7>&- &
    started=$!
    round=0
    until [ -e "$marker/gate" ]; do
        round=$((round + 1))
        if ! kill -0 "$started" 2>/dev/null || [ "$round" -gt 3000 ]; then
            revoke && refuse "the command could not be started and never will be by this attempt (is the host out of memory, processes or disk?)"
        fi
        sleep 0.02 2>/dev/null || sleep 1
    done
    read_gate
    [ "$gate_token" = "$nonce" ] || taken
    [ "$7" != detach ] || end started
    follow "$8"
}

# taken: somebody else holds the gate.
taken() {
    read_gate
    rm -f "$marker/stdin.$nonce"
    if [ "$gate_kind" = revoke ]; then
        refuse "this attempt of the command was called off before it started, and never will run"
    fi
    refuse "this attempt of the command was already started; ask what became of it"
}

# inquire OPERATION ATTEMPT OUTPUT_LIMIT
inquire() {
    open_marker "$1" "$2"
    if [ ! -e "$marker/gate" ] && revoke; then end never; fi
    read_gate
    [ "$gate_kind" = start ] || end never
    out=0 err=0
    [ ! -e "$marker/rc" ] || finish "$3"
    if running; then end running; fi
    [ ! -e "$marker/rc" ] || finish "$3"
    gone
}

# attach OPERATION ATTEMPT OUTPUT_LIMIT
attach() {
    open_marker "$1" "$2"
    [ -e "$marker/gate" ] || end "unknown there is no marker of this command on the target; it may never have started"
    read_gate
    [ "$gate_kind" = start ] || refuse "this attempt of the command was called off before it started, and never will run"
    follow "$3"
}

# forget OPERATION…
forget() {
    [ -d "$base" ] || end done
    private "$top"
    private "$base"
    for operation in "$@"; do
        rm -rf "$base/$operation".* || refuse "the markers in $base cannot be removed"
    done
    sync_paths "$base"
    end done
}

"$@"
