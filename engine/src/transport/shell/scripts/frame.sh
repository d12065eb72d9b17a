# The beginning of every exchange. The variable `nonce`, a random word, frames our answer, so that what a login
# shell or sudo prints before or after is never taken for it. Where a shell serves many exchanges ($inline), nothing is
# expected on its standard error.

# begin: opens the frame. The input is file descriptor 3 from now on, the answer 6 and 7.
begin() {
    exec 3<&0 6>&1 7>&2
    printf '\n%s {\n' "$nonce"
    [ -n "$inline" ] || printf '\n%s {\n' "$nonce" >&2
}

leave=0
# Replaced by functions that leave something to clean.
clean() { :; }

# end WORDS: the answer is complete.
end() {
    words=$*
    case $words in *"$n"*) words=$(printf '%s' "$words" | tr '\n' ' ') ;; esac
    clean
    [ -n "$inline" ] || printf '\n%s } %s\n' "$nonce" "$words" >&7
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
# was killed gave no answer. The last command that was launched and ended, with its markers' place, is kept in mind.
ended() {
    case $1:$3 in
    0:launch) top_is_ours=yes last_top=$4 last=$5 ;;
    0:forget) last= ;;
    0:* | 3:*) ;;
    *)
        printf '\n%s {\n\n%s } died\n' "$2" "$2"
        ;;
    esac
}

# aside NONCE [TOP MARKER]: a launch has begun in the background (exchange.rs), so that this shell can hear `knock`.
aside() {
    aside=$! aside_born= aside_nonce=$1 aside_top=$2 aside_marker=$3
    trap - USR1
    # These do not keep the number of a process that has ended until it is waited for.
    [ -z "$BASH_VERSION$KSH_VERSION$ZSH_VERSION" ] || { born_when "$aside" && aside_born=${born_then:-gone}; }
}

# knock: the answer is not complete after a moment. Tells the launch, which then says what there is of it; one that was
# killed gives none any more.
knock() {
    [ -n "$aside" ] || return 0
    [ -n "$aside_born" ] || { born_when "$aside" && aside_born=$born_then; }
    if alive "$aside" "$aside_born"; then
        kill -USR1 "$aside" 2>/dev/null
    else
        settled
    fi
}

# settled: waits for the end of the launch, which the line after it may need.
settled() {
    wait "$aside"
    ended "$?" "$aside_nonce" launch "$aside_top" "$aside_marker"
    aside=
}
