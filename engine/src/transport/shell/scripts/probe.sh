# probe LIMIT WHOLE WORD…: runs a command that only reads; $exports is set by the engine.
probe() {
    limit=$1 whole=$2
    shift 2
    mask= gate_file= follower= follower_born= sweep=1
    notice=$(supervise "$limit" "$whole" 2 "$@" 4>&6 5>&7 2>&1 6>&- 7>&-)
    how_it_ended "$notice"
    end "$how"
}
