# The engine's side of the gate: finds the marker directory, launches, asks, follows, forgets. The variable `top` is
# where the markers live; empty for the user's own place. `me` is our user's number, `mask` our umask as it was.
# `top_is_ours` is set where a shell serves many exchanges and an earlier one has looked: what is below a directory
# that only we can write, only we can change.

# find_base: where the markers of all operations are, in $base.
find_base() {
    if [ -z "$top" ]; then
        if [ "$me" = 0 ]; then
            top=/var/lib/runbook
        elif [ -n "$XDG_STATE_HOME$HOME" ]; then
            top=${XDG_STATE_HOME:-$HOME/.local/state}/runbook
        else
            refuse "HOME is not set, so there is no place for the markers of commands"
        fi
    fi
    base=$top/ops
}

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
    [ "$3" = "$me" ] || refuse "$directory belongs to user $3, not to $me, who runs the commands; remove it or give it back"
}

# open_marker OPERATION ATTEMPT: $marker is there and ours.
open_marker() {
    find_base
    private "$top"
    private "$base"
    marker=$base/$1.$2
    private "$marker"
}

# open_new_marker OPERATION ATTEMPT: the same, and the operation's epochs, at once where both are new and made by us
# where only we can write. The gate syncs them.
open_new_marker() {
    find_base
    marker=$base/$1.$2
    if [ -z "$top_is_ours" ] || ! mkdir "$marker" "$base/$1.epoch" 2>/dev/null; then
        open_marker "$1" "$2"
        private "$base/$1.epoch"
    fi
}

# register_epoch OPERATION EPOCH: names that only ever appear need no lock: whoever is lower than a name that
# was there first sees it, because each writes its own before it looks.
register_epoch() {
    true >"$base/$1.epoch/$2" || refuse "$base cannot be written (is the disk full?)"
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
    gate_kind= gate_boot= gate_pid= gate_born= gate_token= gate_unit=
    gate_text=$(small gate)
    while read -r key value; do
        case $key in
        start | revoke) gate_kind=$key ;;
        boot) gate_boot=$value ;;
        pid) gate_pid=$value ;;
        born) gate_born=$value ;;
        token) gate_token=$value ;;
        unit) gate_unit=$value ;;
        esac
    done <<GATE
$gate_text
GATE
    # A number of a process is looked up below /proc and asked for: nothing else may stand there.
    case $gate_pid$gate_born in *[!0-9]*) gate_kind= ;; esac
    case $gate_token in *[!0-9a-f]*) gate_kind= ;; esac
    case $gate_kind in
    start | revoke) ;;
    *) end "unknown the gate of this command holds something that runbook did not write (in $marker)" ;;
    esac
}

# running: is the wrapper that holds the gate alive?
running() {
    this_boot
    [ "$gate_boot" = "$boot" ] || return 1
    if [ -n "$gate_born" ]; then
        alive "$gate_pid" "$gate_born"
    else
        kill -0 "$gate_pid" 2>/dev/null
    fi || unit_lives "$gate_unit"
}

# gone: why there is no exit status.
gone() {
    this_boot
    if [ "$gate_boot" != "$boot" ]; then
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

# piece LETTER FILE OFFSET LIMIT: sends what is new; the new offset is in $offset, the whole length in $size.
piece() {
    size=0 offset=$3
    [ -s "$marker/$2" ] || return 0
    size=$(($(length "$2")))
    until=$size
    [ "$until" -le "$4" ] || until=$4
    [ "$until" -gt "$3" ] || return 0
    printf '%s %s\n' "$1" "$((until - $3))" >&6
    if [ "$3" = 0 ]; then
        head -c "$until" "$marker/$2" >&6
    else
        tail -c "+$(($3 + 1))" "$marker/$2" | head -c "$((until - $3))" >&6
    fi
    offset=$until
}

# pieces LIMIT: sends what is new in both streams.
pieces() {
    piece o stdout "$out" "$1"
    out=$offset out_size=$size
    piece e stderr "$err" "$1"
    err=$offset err_size=$size
}

# finish LIMIT HOW: sends the rest and how it ended.
finish() {
    case ${2#* } in
    timeout) ;;
    '' | *[!0-9]* | ????*) set -- "$1" lost ;;
    esac
    case $2 in
    exit\ * | signal\ * | timeout) ;;
    *) end "unknown it had started and is gone, and nobody recorded an exit status that makes sense" ;;
    esac
    pieces "$1"
    end "ended $out_size $err_size $2"
}

# follow LIMIT: sends output while it comes, until the command has ended.
follow() {
    round=0
    while :; do
        # Ours is an answer before it is on the disk.
        if [ -s "$marker/rc.$nonce" ] && IFS= read -r how 2>/dev/null <"$marker/rc.$nonce"; then finish "$1" "$how"; fi
        [ ! -e "$marker/rc" ] || finish "$1" "$(small rc)"
        was=$out-$err
        pieces "$1"
        # Whoever reads cannot tell a line feed at the end of a piece from the beginning of the end, until more follows.
        [ "$was" = "$out-$err" ] || printf 'b 0\n' >&6
        running || [ -e "$marker/rc" ] || gone
        round=$((round + 1))
        # A sign of life now and then ends this loop with SIGPIPE when nobody listens any more.
        [ $((round % 20)) != 0 ] || printf 'b 0\n' >&6
        if [ "$round" -lt 10 ]; then pause=0.03; elif [ "$round" -lt 30 ]; then pause=0.1; else pause=0.3; fi
        pause "$pause"
    done
}

# pause SECONDS: or until the wrapper wakes us.
pause() {
    slow=
    sleep "$1" 2>/dev/null &
    wait "$!" || [ -n "$slow" ] || sleep 1
}

# revoke WORDS: takes the gate; succeeds if nobody had it. Where that cannot be written, the words are the answer.
revoke() {
    (umask 077 && printf 'revoke\n' >"$marker/revoke.$nonce") 2>/dev/null
    if [ ! -s "$marker/revoke.$nonce" ]; then
        rm -f "$marker/revoke.$nonce"
        end "$1 nothing can be written into $marker (is the disk full?), so it cannot be settled whether the command ran"
    fi
    sync_paths "$marker/revoke.$nonce"
    ln "$marker/revoke.$nonce" "$marker/gate" 2>/dev/null
    revoked=$?
    rm -f "$marker/revoke.$nonce"
    sync_paths "$marker"
    return "$revoked"
}

# launch OPERATION ATTEMPT EPOCH LIMIT WHOLE INPUT_LENGTH MODE OUTPUT_LIMIT: $command and $exports as for `gate`; the
# input is $given_1 if $inline is set, else the standard input.
launch() {
    umask 077
    open_new_marker "$1" "$2"
    register_epoch "$1" "$3"
    [ ! -e "$marker/gate" ] || taken
    [ "$6" = 0 ] || take_input "$6"
    own
    follower= follower_born=
    if [ "$7" = follow ]; then follower=$self follower_born=$born; fi
    slow=
    trap 'slow=1' USR1
    started= out=0 err=0
    if ! start_unit "$marker" "$nonce" "$3" "$4" "$5"; then
        start_wrapper "$marker" "$nonce" "$3" "$4" "$5"
        started=$!
        if [ -n "$follower_born" ]; then await_end "$8"; fi
    fi
    await_gate
    [ "$7" != detach ] || end started
    follow "$8"
}

# take_input LENGTH: the command's input, whole: it must not see half of it when a connection breaks.
take_input() {
    if [ -n "$inline" ]; then
        printf %s "$given_1" >"$marker/stdin.$nonce"
    else
        cat <&3 >"$marker/stdin.$nonce"
    fi
    [ "$(($(wc -c <"$marker/stdin.$nonce")))" -eq "$1" ] || refuse "the command's input did not arrive whole (is the disk full?)"
}

# start_wrapper ARGUMENT…: in the background, with nothing of this exchange open. Where we have no terminal, whose end
# could reach it, and know who we are, a copy of this shell will do; else it is a program in a session of its own.
start_wrapper() {
    if [ "$terminal" = 0 ]; then
        (gate "$@") </dev/null >/dev/null 2>&1 3<&- 6>&- 7>&- &
    else
        # Nothing of it shows in the list of processes.
        RUNBOOK_COMMAND=$command RUNBOOK_EXPORTS=$exports "$(command -v setsid)" sh -c "$wrapper
            command=\$RUNBOOK_COMMAND exports=\$RUNBOOK_EXPORTS mask=$mask follower=$follower follower_born=$follower_born
            unset RUNBOOK_COMMAND RUNBOOK_EXPORTS
            gate \"\$@\"" runbook-gate "$@" </dev/null >/dev/null 2>&1 3<&- 6>&- 7>&- &
    fi
}

# await_end LIMIT: if the command ends within a moment, that is the answer. The wrapper wakes us at its end, and when
# it takes longer, or ends itself.
await_end() {
    while kill -0 "$started" 2>/dev/null; do
        wait "$started"
        if IFS= read -r how 2>/dev/null <"$marker/rc.$nonce"; then finish "$1" "$how"; fi
        [ -z "$slow" ] || return 0
    done
}

# wrapper_lives: before it has passed the gate.
wrapper_lives() {
    if [ -n "$started" ]; then kill -0 "$started" 2>/dev/null; else unit_lives "$unit_name"; fi
}

# await_gate: our wrapper has passed the gate.
await_gate() {
    round=0
    until [ -e "$marker/gate" ]; do
        round=$((round + 1))
        if ! wrapper_lives || [ "$round" -gt 3000 ]; then
            revoke unknown && refuse "the command could not be started and never will be by this attempt (is the host out of memory, processes or disk?)"
        fi
        pause 0.02
    done
    read_gate
    [ "$gate_token" = "$nonce" ] || taken
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

# settle_gate OPERATION ATTEMPT: a start holds the gate; else the answer is that none ever will.
settle_gate() {
    open_marker "$1" "$2"
    if [ ! -e "$marker/gate" ] && revoke refused; then end never; fi
    read_gate
    [ "$gate_kind" = start ] || end never
}

# inquire OPERATION ATTEMPT OUTPUT_LIMIT
inquire() {
    settle_gate "$1" "$2"
    out=0 err=0
    [ ! -e "$marker/rc" ] || finish "$3" "$(small rc)"
    # Where the command has ended, the wrapper is about to say so.
    round=0
    while running; do
        round=$((round + 1))
        [ ! -e "$marker/rc" ] || finish "$3" "$(small rc)"
        [ -s "$marker/rc.$gate_token" ] && [ "$round" -lt 500 ] || end running
        sleep 0.02 2>/dev/null || sleep 1
    done
    [ ! -e "$marker/rc" ] || finish "$3" "$(small rc)"
    gone
}

# stop_command OPERATION ATTEMPT OUTPUT_LIMIT: the same, but what runs is ended first: its process group is told, and killed where
# it has not ended five seconds later. What it leaves behind there is killed as well.
stop_command() {
    settle_gate "$1" "$2"
    round=0 told=0 group=
    while [ ! -e "$marker/rc" ] && running && [ "$round" -lt 200 ]; do
        round=$((round + 1))
        job=$(small job)
        case $job in
        # Empty before it has begun and after it has ended.
        '' | *[!0-9]* | 0* | 1) ;;
        *)
            group=$job
            [ "$told" != 0 ] || kill -15 "-$group" 2>/dev/null
            [ "$told" -lt 50 ] || kill -9 "-$group" 2>/dev/null
            told=$((told + 1))
            ;;
        esac
        sleep 0.1 2>/dev/null || { sleep 1 && told=$((told + 9)); }
    done
    [ -z "$group" ] || kill -9 "-$group" 2>/dev/null
    inquire "$@"
}

# attach OPERATION ATTEMPT OUTPUT_LIMIT
attach() {
    open_marker "$1" "$2"
    [ -e "$marker/gate" ] || end "unknown there is no marker of this command on the target; it may never have started"
    read_gate
    [ "$gate_kind" = start ] || refuse "this attempt of the command was called off before it started, and never will run"
    out=0 err=0
    follow "$3"
}

# forget OPERATION…
forget() {
    find_base
    [ -d "$base" ] || end done
    private "$top"
    private "$base"
    names=
    for operation in "$@"; do names="$names $operation.*"; done
    cd "$base" || refuse "$base cannot be entered"
    # A wrapper that still puts its last names on the disk can make one attempt fail.
    rm -rf $names 2>/dev/null || { sleep 1; rm -rf $names; } || refuse "the markers in $base cannot be removed"
    sync_paths "$base"
    end done
}
