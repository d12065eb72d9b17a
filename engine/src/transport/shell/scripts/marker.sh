# The engine's side of the gate: finds the markers' directory, launches, asks, follows, forgets. The variable `top` is
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

# open_base: the directory of markers is there, and ours. At once where only we could have changed that.
open_base() {
    find_base
    [ -z "$top_is_ours" ] || [ ! -d "$base" ] || return 0
    private "$top"
    private "$base"
}

# open_marker OPERATION ATTEMPT: where its files are, in $marker.
open_marker() {
    open_base
    marker=$base/$1.$2
    [ ! -d "$marker" ] ||
        unknown "an earlier version of runbook started it, and this one does not read what that has left in $marker"
}

# open_pending: the beginning of a name for what an attempt needs for a while, in $pending.
open_pending() {
    private "$base/pending"
    pending=$base/pending/${marker##*/}.$nonce
}

# fence OPERATION ATTEMPT EPOCH: no attempt before this one begins any more, and none was of a newer engine, which has
# taken over. Attempts are counted from 1, and from 10,000 on inside a change (ledger.rs), where numbers are left out.
fence() {
    [ "$2" != 1 ] || return 0
    for record in "$base/$1".*.gate; do
        [ ! -e "$record" ] || not_newer "$record" "$3"
    done
    before=$2
    while [ "$before" -gt 1 ] && [ "$2" -lt 10000 ]; do
        before=$((before - 1))
        marker=$base/$1.$before
        # Whoever has made that has taken those before it.
        [ ! -e "$marker.gate" ] || break
        revoke refuse
    done
    marker=$base/$1.$2
}

# not_newer RECORD EPOCH: refuses to go on where this record is of a higher epoch.
not_newer() {
    kind= value=
    { read -r kind && read -r key && read -r key value; } <"$1"
    case $kind in
    # One that a power failure has emptied is of nobody who could still be at work.
    '' | revoke) return 0 ;;
    esac
    case $kind$key:$value in
    startepoch: | startepoch:*[!0-9]*) ;;
    startepoch:*)
        [ "$value" -le "$2" ] 2>/dev/null && return 0
        refuse "a newer engine (epoch $value) has taken over this operation; this one has epoch $2 and must stop"
        ;;
    esac
    refuse "the gate of this command holds something that runbook did not write (in $1)"
}

# record_text: the beginning of the record, in $record. Ours are tiny; whatever else lies there must not fill the memory.
record_text() {
    tries=0
    while :; do
        record=$(head -c 2048 "$marker.gate" 2>/dev/null)
        # Who has made it is about to write it, or takes it away again.
        [ -z "$record" ] && [ -e "$marker.gate" ] && [ "$tries" -lt 50 ] || return 0
        tries=$((tries + 1))
        sleep 0.02 2>/dev/null || { sleep 1 && tries=$((tries + 20)); }
    done
}

# read_record: its facts in $gate_* and $job, how the command ended in $how, in $safe whether that is on the disk. Where it
# holds something that no engine writes, that is the answer.
read_record() {
    gate_kind= gate_boot= gate_epoch= gate_pid= gate_born= gate_token= gate_unit= job= how= safe= odd=
    record_text
    while IFS= read -r line; do
        value=${line#* }
        case $line in
        start | revoke)
            [ -z "$gate_kind" ] || odd=yes
            gate_kind=$line
            ;;
        'boot '*) gate_boot=$value ;;
        'epoch '*) gate_epoch=$value ;;
        'pid '*) gate_pid=$value ;;
        'born '*) gate_born=$value ;;
        'token '*) gate_token=$value ;;
        'unit '*) gate_unit=$value ;;
        'job '*) job=$value ;;
        job) job= ;;
        'exit '* | 'signal '* | timeout | lost)
            [ -z "$how" ] || odd=yes
            how=$line
            ;;
        safe) safe=$how ;;
        *) odd=yes ;;
        esac
    done <<RECORD
$record
RECORD
    # A number of a process is looked up below /proc and asked for: nothing else may stand there.
    case $gate_epoch$gate_pid$gate_born$job in *[!0-9]*) odd=yes ;; esac
    case $gate_token in *[!0-9a-f]*) odd=yes ;; esac
    [ -n "$record" ] ||
        unknown "it may have started: all that its record said of it is lost, as by a power failure (in $marker.gate)"
    [ -n "$gate_kind" ] && [ -z "$odd" ] ||
        unknown "the gate of this command holds something that runbook did not write (in $marker.gate)"
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
        unknown "it had started, then the host restarted; it left no exit status${how:+ that is sure to be whole}"
    fi
    still=
    [ -z "$job" ] || [ -z "$(birth "$job")" ] || still="; process $job, which it started, may still run"
    unknown "it had started and its wrapper (process $gate_pid) was killed before it could record an exit status$still"
}

# length FILE: its bytes. Busybox's `wc` would read the whole file each time that we look.
length() {
    stat -L -c %s "$marker.$1" 2>/dev/null || wc -c <"$marker.$1" 2>/dev/null
}

# piece LETTER FILE OFFSET LIMIT: sends what is new; the new offset is in $offset, the whole length in $size.
piece() {
    size=0 offset=$3
    [ -s "$marker.$2" ] || return 0
    size=$(($(length "$2")))
    until=$size
    [ "$until" -le "$4" ] || until=$4
    [ "$until" -gt "$3" ] || return 0
    printf '%s %s\n' "$1" "$((until - $3))" >&6
    if [ "$3" = 0 ]; then
        head -c "$until" "$marker.$2" >&6
    else
        tail -c "+$(($3 + 1))" "$marker.$2" | head -c "$((until - $3))" >&6
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
    *) unknown "it had started and is gone, and nobody recorded an exit status that makes sense" ;;
    esac
    pieces "$1"
    end "ended $out_size $err_size $2"
}

# finish_known LIMIT: the same, if the record says how it ended. What a restart of the host may have left by half does not
# count.
finish_known() {
    [ -n "$how" ] || return 0
    this_boot
    [ "$gate_boot" != "$boot" ] && [ -z "$safe" ] || finish "$1" "$how"
}

# follow LIMIT: sends output while it comes, until the command has ended.
follow() {
    # Nobody needs to knock any more.
    printf 'b 0\n' >&6
    round=0
    while :; do
        read_record
        finish_known "$1"
        was=$out-$err
        pieces "$1"
        # Whoever reads cannot tell a line feed at the end of a piece from the beginning of the end, until more follows.
        [ "$was" = "$out-$err" ] || printf 'b 0\n' >&6
        if ! running; then
            read_record
            finish_known "$1"
            gone
        fi
        round=$((round + 1))
        # A sign of life now and then ends this loop with SIGPIPE when nobody listens any more.
        [ $((round % 20)) != 0 ] || printf 'b 0\n' >&6
        if [ "$round" -lt 5 ]; then pause=0.01; elif [ "$round" -lt 30 ]; then pause=0.03; elif [ "$round" -lt 100 ]; then pause=0.1; else pause=0.3; fi
        pause "$pause"
    done
}

# pause SECONDS
pause() {
    sleep "$1" 2>/dev/null || sleep 1
}

# revoke WORD: takes the gate; fails if somebody else has. Where that cannot be written, that is the answer, by WORD:
# `refuse` or `unknown`.
revoke() {
    (umask 077 && make_gate revoke && exit 0; [ "$why" = taken ] || exit 2; exit 1)
    revoked=$?
    [ "$revoked" != 2 ] || "$1" "nothing can be written into $base (is the disk full?), so it cannot be settled whether the command ran"
    [ "$revoked" = 0 ] || return 1
    sync_paths "$marker.gate" "$base"
}

# launch OPERATION ATTEMPT EPOCH LIMIT WHOLE INPUT_LENGTH MODE OUTPUT_LIMIT: $command and $exports as for `gate`; the
# input is $given_1 if $inline is set, else the standard input.
launch() {
    umask 077
    epoch=$3 pending=
    open_marker "$1" "$2"
    fence "$1" "$2" "$3"
    [ ! -e "$marker.gate" ] || taken
    [ "$6" = 0 ] || take_input "$6"
    own
    [ "$7" != follow ] || ! tells || tell "$4" "$5" "$8"
    follower= follower_born=
    if [ "$7" = follow ]; then follower=$self follower_born=$born; fi
    slow= started= out=0 err=0
    trap 'slow=1' USR1
    if ! start_unit "$marker" "$nonce" "$3" "$4" "$5"; then
        start_wrapper "$marker" "$nonce" "$3" "$4" "$5"
        started=$!
        if [ -n "$follower_born" ]; then
            [ -n "$inline" ] || alarm
            await_end "$8"
        fi
    fi
    # What is written from now on must not be interrupted: busybox would write it twice, or elsewhere.
    trap '' USR1
    await_gate
    [ "$7" != detach ] || end started
    follow "$8"
}

# take_input LENGTH: the command's input, whole: it must not see half of it when a connection breaks.
take_input() {
    open_pending
    if [ -n "$inline" ]; then
        printf %s "$given_1" >"$pending.stdin"
    else
        cat <&3 >"$pending.stdin"
    fi
    [ "$(($(wc -c <"$pending.stdin")))" -eq "$1" ] || refuse "the command's input did not arrive whole (is the disk full?)"
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

# alarm: wakes us when a moment has passed, as `knock` does in a shell that serves many exchanges.
alarm() {
    (pause 0.05; wake) </dev/null >/dev/null 2>&1 3<&- 6>&- 7>&- &
}

# await_end LIMIT: if the command ends within a moment, that is the answer. The wrapper wakes us at its end, and somebody
# when it takes longer.
await_end() {
    while kill -0 "$started" 2>/dev/null; do
        wait "$started"
        # See launch. Whatever else would wake us is seen by looking.
        trap '' USR1
        if [ -s "$marker.gate" ]; then
            read_record
            [ "$gate_token" = "$nonce" ] || return 0
            finish_known "$1"
        fi
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
    until [ -e "$marker.gate" ]; do
        round=$((round + 1))
        if ! wrapper_lives || [ "$round" -gt 3000 ]; then
            revoke unknown && refuse "the command could not be started and never will be by this attempt (is the host out of memory, processes or disk?)"
        fi
        pause 0.02
    done
    read_record
    [ "$gate_token" = "$nonce" ] || taken
}

# taken: somebody else holds the gate.
taken() {
    read_record
    [ -z "$pending" ] || rm -f "$pending.stdin"
    [ "$gate_kind" != revoke ] || called_off
    refuse "this attempt of the command was already started; ask what became of it"
}

called_off() {
    refuse "this attempt of the command was called off before it started, and never will run"
}

# settle_gate OPERATION ATTEMPT: a start holds the gate; else the answer is that none ever will.
settle_gate() {
    open_marker "$1" "$2"
    if [ ! -e "$marker.gate" ] && revoke refuse; then end never; fi
    read_record
    [ "$gate_kind" = start ] || end never
}

# inquire OPERATION ATTEMPT OUTPUT_LIMIT
inquire() {
    settle_gate "$1" "$2"
    out=0 err=0
    finish_known "$3"
    ! running || end running
    # It may have ended in between.
    read_record
    finish_known "$3"
    gone
}

# stop_command OPERATION ATTEMPT OUTPUT_LIMIT: the same, but what runs is ended first: its process group is told, and killed where
# it has not ended five seconds later. What it leaves behind there is killed as well.
stop_command() {
    settle_gate "$1" "$2"
    round=0 told=0 group=
    while [ -z "$how" ] && running && [ "$round" -lt 200 ]; do
        round=$((round + 1))
        case $job in
        # None before it has begun and after it has ended.
        '' | 0* | 1) ;;
        *)
            group=$job
            [ "$told" != 0 ] || kill -15 "-$group" 2>/dev/null
            [ "$told" -lt 50 ] || kill -9 "-$group" 2>/dev/null
            told=$((told + 1))
            ;;
        esac
        sleep 0.1 2>/dev/null || { sleep 1 && told=$((told + 9)); }
        read_record
    done
    [ -z "$group" ] || kill -9 "-$group" 2>/dev/null
    inquire "$@"
}

# attach OPERATION ATTEMPT OUTPUT_LIMIT
attach() {
    open_marker "$1" "$2"
    [ -e "$marker.gate" ] || unknown "there is no marker of this command on the target; it may never have started"
    read_record
    [ "$gate_kind" = start ] || called_off
    out=0 err=0
    follow "$3"
}

# forget OPERATION…
forget() {
    find_base
    [ -d "$base" ] || end done
    open_base
    cd "$base" || refuse "$base cannot be entered"
    names=
    for operation in "$@"; do
        attempt=1
        # Inside a change they are not counted from 1.
        [ -e "$operation.1.gate" ] || names="$names $operation.*"
        while [ -e "$operation.$attempt.gate" ]; do
            name=$operation.$attempt
            names="$names $name.gate $name.stdout $name.stderr $name.jobs"
            attempt=$((attempt + 1))
        done
        [ ! -d pending ] || names="$names pending/$operation.*"
        # Of an earlier version.
        [ ! -d "$operation.epoch" ] || names="$names $operation.*"
    done
    [ -z "$names" ] || rm -rf $names || refuse "the markers in $base cannot be removed"
    sync_paths "$base"
    end done
}

# settle_last: nobody asks this shell any more, and how its last command ended may not have been recorded anywhere else.
settle_last() {
    [ -n "$last" ] || return 0
    top=$last_top
    find_base
    marker=$base/$last
    [ ! -e "$marker.gate" ] || keep_safe
}
