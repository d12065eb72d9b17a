# The beginning of every exchange. The variable `nonce`, a random word, frames our answer, so that what a login
# shell or sudo prints before or after is never taken for it.

# begin: opens the frame. The input is file descriptor 3 from now on, the answer 6 and 7.
begin() {
    exec 3<&0 6>&1 7>&2
    printf '\n%s {\n' "$nonce"
    printf '\n%s {\n' "$nonce" >&2
}

leave=0
# Replaced by functions that leave something to clean.
clean() { :; }

# end WORDS: the answer is complete.
end() {
    words=$*
    case $words in *"$n"*) words=$(printf '%s' "$words" | tr '\n' ' ') ;; esac
    clean
    printf '\n%s } %s\n' "$nonce" "$words" >&7
    printf '\n%s } %s\n' "$nonce" "$words" >&6
    exit "$leave"
}

refuse() {
    leave=3
    end "refused $*"
}

# unknown WORDS: nobody can say how the command ended.
unknown() {
    leave=3
    end "unknown $*"
}

# ended STATUS NONCE CALL [TOP MARKER]: in a shell that serves many exchanges, after each, which was a subshell. One that
# was killed gave no answer. The last command
# that was launched and ended, with its markers' place, is kept in mind.
ended() {
    case $1:$3 in
    0:launch) top_is_ours=yes last_top=$4 last=$5 ;;
    0:forget) last= ;;
    0:* | 3:*) ;;
    *)
        printf '\n%s {\n\n%s } died\n' "$2" "$2" >&2
        printf '\n%s {\n\n%s } died\n' "$2" "$2"
        ;;
    esac
}
