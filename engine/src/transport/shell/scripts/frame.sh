# The beginning of every exchange. $1: a random word that frames our answer, so that what a login shell or sudo
# prints before or after is never taken for it.
nonce=$1
shift
exec 3<&0 6>&1 7>&2
printf '\n%s {\n' "$nonce"
printf '\n%s {\n' "$nonce" >&2

# Replaced by scripts that leave something to clean.
clean() { :; }

# end WORDS: the answer is complete.
end() {
    words=$(printf '%s' "$*" | tr '\n' ' ')
    clean
    printf '\n%s } %s\n' "$nonce" "$words" >&7
    printf '\n%s } %s\n' "$nonce" "$words" >&6
    exit 0
}

refuse() {
    end "refused $*"
}
