#!/usr/bin/env bash
# Takes each barrier away in turn and wants a test to turn red: a test that cannot see a barrier missing does not hold it.
# Each file in .ci/barriers says what it breaks (a text that must stand exactly once in a file, else the barrier is
# stale and this fails) and which test must see it. Works on a copy of the tree; give names to run only some of them.
# BARRIER_SECONDS: begins no other one after so long, and says which it has left out; each day it begins with another.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
. .ci/own
# Always the same places, so that what was built for one barrier serves the next; the ordinary builds stay free of
# broken programs.
copy=$root/target/barriers/work
export CARGO_TARGET_DIR=$root/target/barriers/built
# The release profile, whose dependencies are there already; the own code incremental and not optimised, because each
# barrier builds it again.
export CARGO_INCREMENTAL=1
own=(--release --config profile.release.package.runbook.opt-level=0)
mkdir -p "$copy"
trap 'rm -rf "$copy/tree"' EXIT

fresh() {
    # What git would have, and what is not committed yet; times are kept so that only what differs is built again.
    rm -rf "${copy:?}/tree"
    mkdir "$copy/tree"
    git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xf - -C "$copy/tree"
}

field() { sed -n "s/^$2: *//p" "$1" | head -1; }

# Replaces the text in the file of the copy; fails where it does not stand there exactly once.
remove() {
    perl -0 -e '
        my ($barrier, $file) = @ARGV;
        local $/;
        open(my $in, "<", $barrier) or die "$barrier: $!";
        my ($old, $new) = <$in> =~ /\n--- instead of\n(.*?)\n--- it says\n(.*)\n\z/s or die "$barrier: not understood\n";
        open(my $source, "<", $file) or die "$file: $!";
        my $text = <$source>;
        my $count = () = $text =~ /\Q$old\E/g;
        die "$barrier is stale: its text stands $count times in $file\n" if $count != 1;
        $text =~ s/\Q$old\E/$new/;
        open(my $out, ">", $file) or die "$file: $!";
        print $out $text;
    ' "$1" "$copy/tree/$(field "$1" file)"
}

seed target/barriers/built
fresh
# All of them first: one that is stale is an error, also where time leaves it out below.
for barrier in .ci/barriers/*; do
    file=$copy/tree/$(field "$barrier" file)
    cp -p "$file" "$copy/whole"
    remove "$barrier"
    cp -p "$copy/whole" "$file"
done
failed=0
table=$(printf '%-30s %-10s %4s  %s\n' barrier result s holds)
barriers=(.ci/barriers/*)
if [ -n "${BARRIER_SECONDS:-}" ]; then
    first=$(($(date +%s) / 86400 * 7 % ${#barriers[@]}))
    barriers=("${barriers[@]:first}" "${barriers[@]:0:first}")
fi
for barrier in "${barriers[@]}"; do
    name=$(basename "$barrier")
    if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx -- "$name"; then continue; fi
    if [ -n "${BARRIER_SECONDS:-}" ] && [ "$SECONDS" -gt "$BARRIER_SECONDS" ]; then
        table+=$'\n'$(printf '%-30s %-10s %4s  %s' "$name" "left out" - "$(field "$barrier" holds)")
        continue
    fi
    file=$(field "$barrier" file)
    command=$(field "$barrier" red)
    # shellcheck disable=SC2206 # the command is words
    words=(${command/#cargo test/cargo test ${own[*]}})
    began=$SECONDS
    cp -p "$copy/tree/$file" "$copy/whole"
    remove "$barrier"
    touch "$copy/tree/$file"
    echo "== $name: $command" >&2
    log="$copy/$name.log"
    status=0
    (cd "$copy/tree" && "${words[@]}" --no-run) >"$log" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        result="NO BUILD"
    else
        (cd "$copy/tree" && timeout 900 "${words[@]}") >>"$log" 2>&1 || status=$?
        ran=$(grep -c '^test .* \.\.\. \(ok\|FAILED\)$\|^test result: FAILED' "$log" || true)
        if [ "$status" = 0 ]; then result="GREEN"; elif [ "$ran" = 0 ]; then result="NO TEST"; else result="red"; fi
    fi
    if [ "$result" != red ]; then
        failed=1
        tail -40 "$log" >&2
    fi
    table+=$'\n'$(printf '%-30s %-10s %4s  %s' "$name" "$result" "$((SECONDS - began))" "$(field "$barrier" holds)")
    cp -p "$copy/whole" "$copy/tree/$file"
    touch "$copy/tree/$file"
done
printf '%s\n' "$table"
exit "$failed"
