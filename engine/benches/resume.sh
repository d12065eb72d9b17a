#!/usr/bin/env bash
# Resumes runs of many recorded operations: time and the most memory that it took.
#   engine/benches/resume.sh [OPERATIONS…]      10000 100000 300000 unless others are named
# The journal is made by a real run on a lab, which fails behind its last operation, so that the resume replays all
# of them and comes to the same end. `closed` is a journal that its run closed; `killed` is the same with its
# write-ahead log left behind, which is copied to a fresh file first.
# Environment: RUNBOOK (the program, if it is built already).
set -euo pipefail
cd "$(dirname "$0")/../.."
runbook=${RUNBOOK:-$PWD/target/release/runbook}
[ -n "${RUNBOOK:-}" ] || cargo build --release --quiet
[ $# -gt 0 ] || set -- 10000 100000 300000
work=$(mktemp -d "${TMPDIR:-/var/tmp}/resume.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export RUNBOOK_STATE_DIR=$work/state RUNBOOK_LAB_NO_SYNC=1
lab=k3s-double-tunnel

# timed NAME WORD…: wall seconds, processor seconds and mebibytes of a command whose exit status is 1.
timed() {
    local name=$1 status=0
    shift
    /usr/bin/time -q -o time -f '%e %U %S %M' "$@" >out 2>&1 || status=$?
    [ "$status" = 1 ] || { tail -5 out >&2; echo "exit status $status: $*" >&2; exit 1; }
    awk -v name="$name" '{ printf "| %-32s | %8.2f s | %8.2f s | %7.0f MiB |\n", name, $1, $2 + $3, $4 / 1024 }' time
}

echo "| resume of recorded operations    |       wall |  processor |   at most   |"
echo "| -------------------------------- | ---------- | ---------- | ----------- |"
for operations in "$@"; do
    cat >book.rhai <<RHAI
runbook #{ title: "Many" };
let h = host("k3s-agent-1");
step("go") { for i in 0..$operations { h.probe(["hostname"]); } }
step("stop") { fail("on purpose"); }
RHAI
    sed -i 's/step("\([a-z]*\)") {/step "\1" {/' book.rhai
    "$runbook" run book.rhai --lab "$lab" --yes >out 2>&1 && { echo "the run was to fail" >&2; exit 1; }
    run=$(ls state/runs | sort | tail -1)
    timed "$operations, closed" "$runbook" resume "$run" --yes
    cp -a "state/runs/$run" kept
    # Killed as it begins: what its session has written stays in the log.
    RUNBOOK_CRASH_AT=$(($(wc -l <"state/runs/$run/journal.jsonl") + 0)) "$runbook" resume "$run" --yes >out 2>&1 || true
    timed "$operations, killed" "$runbook" resume "$run" --yes
    rm -rf kept "state/runs/$run"
done
