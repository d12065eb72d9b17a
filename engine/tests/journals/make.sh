#!/bin/sh
# Makes golden journals with a real program, for tests/journal_golden.rs: once for each released version, into
# a directory of its own, which is never changed afterwards.
#
#   sh engine/tests/journals/make.sh target/release/runbook engine/tests/journals/0.1.0
set -eu
program=$(realpath "$1")
mkdir -p "$2"
into=$(realpath "$2")
here=$(dirname "$(realpath "$0")")

# So that no name of a person or machine gets into them.
if [ "${GOLDEN_INSIDE:-}" = "" ]; then
    exec unshare --user --map-root-user --uts env GOLDEN_INSIDE=1 USER=golden sh "$0" "$program" "$into"
fi
hostname desk

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$here/everything.rhai" .
cp "$here/everything.rhai" "$into/"
export RUNBOOK_STATE_DIR="$work/state" RUNBOOK_LAB_NO_SYNC=1
umask 077

# Runs the program and wants an exit status.
wants() {
    status=0
    wanted=$1
    shift
    "$program" "$@" </dev/null >log 2>&1 || status=$?
    if [ "$status" != "$wanted" ]; then
        cat log
        echo "exit status $status instead of $wanted: $*"
        exit 1
    fi
}

newest() { ls state/runs | tail -n 1; }

# Copies the newest run under a name of its own; the directory keeps the run's name.
keep() {
    mkdir -p "$into/$1"
    cp -R "state/runs/$(newest)" "$into/$1/"
}

# Stopped at its question, after a failure that a person resolved and an accepted edit.
wants 1 run everything.rhai --lab k3s-double-tunnel
failed=$("$program" show "$(newest)" --json | sed -n 's/.*"failed":\["\([0-9a-f]*\)".*/\1/p' | tail -n 1)
wants 0 resolve "$(newest)" "$failed" --done --why "it is meant to fail"
wants 3 resume
sed 's/the end/the edited end/' "$here/everything.rhai" >everything.rhai
wants 3 resume --edited --answer edited=yes
keep stopped

# To its end, and put back.
"$program" lab reset k3s-double-tunnel >log 2>&1
sed '/agent.run("false")/d' "$here/everything.rhai" >everything.rhai
wants 0 run everything.rhai --lab k3s-double-tunnel --yes
wants 0 undo "$(newest)" --yes
keep undone
