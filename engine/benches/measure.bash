# Shared by the scripts beside it: measuring, and rows of one table. Sourced, with `rounds` and `runbook` set.

# measure WORD…: runs the command `rounds` times; sets wall and processor (medians, seconds) and most (MiB, the largest).
# A shell function is measured as well as a program; `accept` is the exit status that is wanted.
accept=0
measure() {
    local nth status begin walls=() processors=()
    most=0
    for nth in $(seq "$rounds"); do
        # What the last round left to be written is not this round's.
        sync
        status=0
        begin=$EPOCHREALTIME
        if declare -F "$1" >/dev/null; then
            times_of "$@" >out 2>&1 || status=$?
            awk '{ print $1, 0 }' processor >time
        else
            /usr/bin/time -q -o time -f '%U %S %M' "$@" >out 2>&1 || status=$?
            awk '{ print $1 + $2, $3 / 1024 }' time >time.new && mv time.new time
        fi
        # Not by time(1), which knows hundredths of a second only.
        wall=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
        [ "$status" = "$accept" ] || { tail -20 out >&2; echo "exit status $status: $*" >&2; exit 1; }
        read -r processor peak <time
        walls+=("$wall")
        processors+=("$processor")
        most=$(awk -v a="$peak" -v b="$most" 'BEGIN { print (a > b ? a : b) }')
    done
    wall=$(median "${walls[@]}")
    processor=$(median "${processors[@]}")
}

# times_of FUNCTION WORD…: runs it in a shell of its own; leaves the processor seconds of all its processes in a file.
times_of() {
    (
        "$@" || exit
        # In a pipe it would be another shell, whose children are none.
        times >times
        awk -F'[ms ]+' 'NR == 2 { print $1 * 60 + $2 + $3 * 60 + $4 }' times >processor
    )
}

median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }

heading() {
    echo "| work | who | wall | processor | at most | to the first |"
    echo "| --- | --- | ---: | ---: | ---: | ---: |"
}

# row WORK WHO BASE: what was measured last, and how it stands to BASE seconds (no ratio, if there is none).
row() {
    awk -v work="$1" -v who="$2" -v wall="$wall" -v processor="$processor" -v most="$most" -v base="${3:-0}" 'BEGIN {
        memory = most > 0 ? sprintf("%.0f MiB", most) : ""
        ratio = base > 0 ? sprintf("%.2f", wall / base) : ""
        printf "| %s | %s | %.3f s | %.3f s | %s | %s |\n", work, who, wall, processor, memory, ratio
    }'
}

# value WORK WHO TEXT: a row of one value.
value() { echo "| $1 | $2 | $3 | | | |"; }

skipped() { case " ${BENCH_SKIP:-} " in *" $1 "*) return 0 ;; esac; return 1; }
