#!/usr/bin/env bash
# The part of all.sh that needs no server: starting, checking, many hosts, resuming.
set -euo pipefail
. "$(dirname "$0")/measure.bash"
mkdir -p "$work/lab"
cd "$work/lab"

skipped start || {
    { echo 'runbook #{ title: "Long" };'; for nth in $(seq 499); do echo "let v$nth = $nth + 1; // line $nth"; done; } >long.rhai
    measure "$runbook" --help
    base=$wall
    row "start" "runbook --help" "$base"
    measure "$runbook" check long.rhai
    row "start" "runbook check, 500 lines" "$base"
    cp "$runbook" stripped
    strip stripped 2>/dev/null || true
    value "the program" "stripped" "$(stat -c %s stripped | awk '{ printf "%.1f MB", $1 / 1e6 }')"
}

# fleet HOSTS: a lab of so many hosts without a cluster.
fleet() {
    mkdir -p "fleet$1"
    {
        printf 'title: many hosts\ndescription: For measurements.\nstarts: 2026-01-05T08:00:00Z\nhosts:\n'
        for nth in $(seq 0 $(($1 - 1))); do
            echo "  h$nth: { interfaces: [{ name: eth0, kind: ethernet, mtu: 1500, addresses: [10.0.$((nth / 250)).$((nth % 250 + 1))/16] }] }"
        done
    } >"fleet$1/lab.yaml"
}


skipped lab || {
    cat >fleet.rhai <<'RHAI'
runbook #{ title: "Fleet" };
step "go" { each(hosts("all"), #{ parallel: 20 }, |h| { for i in 0..20 { h.run(["true"]); } }); }
RHAI
    base=
    for hosts in 250 500 1000; do
        fleet "$hosts"
        rm -rf "$RUNBOOK_STATE_DIR"
        # The lab stands for targets. In memory, what is measured is the engine and its journal.
        RUNBOOK_LAB_IN_MEMORY=1 measure "$runbook" run fleet.rhai --lab "./fleet$hosts" --yes
        base=${base:-$wall}
        row "$hosts lab hosts × 20 commands" "runbook, the lab in memory" "$base"
        rm -rf "$RUNBOOK_STATE_DIR"
        measure "$runbook" run fleet.rhai --lab "./fleet$hosts" --yes
        row "$hosts lab hosts × 20 commands" "runbook, the lab stored" "$base"
    done
}

skipped resume || {
    # A real run, killed behind its first command; the journal's own writer records that command as often as its loop
    # would have. The resume replays all of them and stops at the throw.
    export RUNBOOK_LAB_NO_SYNC=1
    fleet 2
    base=
    for operations in ${BENCH_RESUME:-10000 100000}; do
        rm -rf "$RUNBOOK_STATE_DIR"
        cat >many.rhai <<RHAI
runbook #{ title: "Many" };
let h = host("h0");
step "go" { for i in 0..$operations { h.run(["true"]); } }
step "stop" { throw "on purpose"; }
RHAI
        # Start of the run, of the session, of the step; intent, outcome.
        { RUNBOOK_CRASH_AT=5 "$runbook" run many.rhai --lab ./fleet2 --yes || true; } >out 2>&1
        run=$(ls "$RUNBOOK_STATE_DIR/runs" | tail -1)
        "$journal" "$RUNBOOK_STATE_DIR" "$run" "$operations"
        size=$(stat -c %s "$RUNBOOK_STATE_DIR/runs/$run/journal.db" | awk '{ printf "%.0f MB", $1 / 1e6 }')
        accept=1
        measure "$runbook" resume "$run" --yes
        base=${base:-$wall}
        row "resume, $operations commands recorded ($size)" "closed before" "$base"
        # Killed behind the record with which a session begins: the log stays, and is copied first.
        records=$("$runbook" verify "$run" | awk '{ for (i = 1; i < NF; i++) if ($(i + 1) ~ /^record/) { print $i; exit } }')
        { RUNBOOK_CRASH_AT=$((records + 1)) "$runbook" resume "$run" --yes || true; } >out 2>&1
        rounds=1 measure "$runbook" resume "$run" --yes
        row "resume, $operations commands recorded ($size)" "killed before" "$base"
        accept=0
    done
}
