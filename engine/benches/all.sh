#!/usr/bin/env bash
# Everything that docs/performance.md tells, as one Markdown table of medians.
#   engine/benches/all.sh [ROUNDS]       3 rounds unless another number is given
# Needs root (a user whose shell is /bin/sh is made and removed), OpenSSH's server, GNU time, python3 with venv.
# ansible-core and pyinfra are installed into a virtual environment, once, where PATH does not have them.
# Environment:
#   RUNBOOK, FLOOR, JOURNAL   the programs, where they are built already (the latter two: --example floor, journal)
#   BENCH_SKIP       words of: ssh ansible pyinfra hundred lab resume start
#   BENCH_VENV       where the virtual environment is (target/peers)
set -euo pipefail
cd "$(dirname "$0")/../.."
export rounds=${1:-3}
[ -n "${RUNBOOK:-}" ] || cargo build --release --quiet
[ -n "${FLOOR:-}" ] || cargo build --release --quiet --example floor --example journal
export runbook=${RUNBOOK:-$PWD/target/release/runbook} floor=${FLOOR:-$PWD/target/release/examples/floor}
export journal=${JOURNAL:-${floor%/*}/journal}
here=$PWD/engine/benches
. "$here/measure.bash"

venv=$(realpath -m "${BENCH_VENV:-target/peers}")
export PATH=$venv/bin:$PATH
missing() { ! skipped "$1" && ! command -v "$2" >/dev/null; }
# Those that are missing; where they are not to be had, the table goes without.
peers() {
    if missing ansible ansible-playbook || missing pyinfra pyinfra; then
        { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet ansible-core pyinfra; } >&2 || true
    fi
    ! missing ansible ansible-playbook || BENCH_SKIP+=" ansible"
    ! missing pyinfra pyinfra || BENCH_SKIP+=" pyinfra"
}
export BENCH_SKIP=${BENCH_SKIP:-}
before=$BENCH_SKIP
skipped ssh || peers
[ "$BENCH_SKIP" = "$before" ] || echo "not installed, and left out:${BENCH_SKIP#"$before"}" >&2

work=$(mktemp -d "${TMPDIR:-/var/tmp}/bench.XXXXXX")
export work
# The state of runs, and with it what is synced, lies on a disk.
export RUNBOOK_STATE_DIR=$work/state
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# version PART PROGRAM: its first line, where it takes part.
version() { skipped ssh || skipped "$1" || echo "; $("$2" --version 2>/dev/null | head -1)"; }
echo "$("$runbook" --version | head -1); $(ssh -V 2>&1 | cut -d, -f1)$(version ansible ansible-playbook)$(version pyinfra pyinfra)"
echo "$(uname -sr), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg), $(stat -fc %T "$work"), medians of $rounds"
echo
heading
value "a synced write of 1 KiB" "the disk under the journal" "$("$floor" sync "$work" 200) µs"
skipped ssh || "$here/ssh.sh"
"$here/lab.sh"
