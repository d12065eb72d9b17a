# What runs, by its process id and the moment it started, so that nothing else is ever killed.

die() {
    echo "cluster: $*" >&2
    exit 1
}

# When a process started, in clock ticks since boot (field 22 of proc(5)'s stat, counted behind the name).
birth() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086
    set -- $stat
    [ "$1" != Z ] || return 1
    echo "${20}"
}

# spawn NAME COMMAND…: starts it apart from this terminal, with its output in a log.
spawn() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$dir/log/$name.log" 2>&1 &
    local pid=$!
    echo "$pid $(birth "$pid")" >"$dir/pid/$name"
    disown "$pid"
}

# The process id of what was spawned by that name, if it still is that process.
pid_of() {
    local pid born
    read -r pid born 2>/dev/null <"$dir/pid/$1" || return 1
    [ "$(birth "$pid")" = "$born" ] && echo "$pid"
}

signal() {
    local pid
    pid=$(pid_of "$1") || die "$1 does not run"
    kill -s "$2" "$pid"
}

# end NAME: kills it, and waits until it is gone.
end() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -s KILL "$pid" 2>/dev/null || true
    while pid_of "$1" >/dev/null; do sleep 0.05; done
}

# until_true SECONDS WHAT COMMAND…
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || die "$what: not within its time"
        sleep 0.2
    done
}

status() {
    local file name
    for file in "$dir"/pid/*; do
        [ -e "$file" ] || continue
        name=${file##*/}
        echo "$name $(pid_of "$name" || echo "does not run")"
    done
}

stop_all() {
    local file
    [ -d "$dir" ] || return 0
    [ -d "$dir/pid" ] || die "$dir holds no cluster"
    for file in "$dir"/pid/*; do
        [ ! -e "$file" ] || end "${file##*/}"
    done
    for file in "$dir"/nodes/*; do
        [ ! -e "$file" ] || forget_node "$file"
    done
    # Deepest first; what a killed start left half mounted is in this list too.
    awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r file; do umount -l "$file"; done
    rm -rf --one-file-system "$dir"
}
