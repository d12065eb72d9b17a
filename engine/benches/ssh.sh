#!/usr/bin/env bash
# Compares runs with their floors and with the peers, side by side over one private sshd on loopback.
#   engine/benches/ssh.sh [ROUNDS]       medians of ROUNDS (3); needs root, for a user whose shell is /bin/sh
# ansible-playbook and pyinfra are measured where PATH has them: python3 -m venv V; V/bin/pip install ansible-core pyinfra
# Environment: RUNBOOK, FLOOR (the programs, if they are built already), BENCH_SKIP (words: ansible pyinfra large).
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-3}
runbook=${RUNBOOK:-$PWD/target/release/runbook}
[ -n "${RUNBOOK:-}" ] || cargo build --release --quiet
floor=${FLOOR:-$PWD/target/release/examples/floor}
[ -n "${FLOOR:-}" ] || cargo build --release --quiet --example floor
work=$(mktemp -d /tmp/bench.XXXXXX)
user=runbook-bench
made=
id "$user" >/dev/null 2>&1 || { useradd -m -s /bin/sh -p '*' "$user"; made=yes; }
home=$(getent passwd "$user" | cut -d: -f6)
finish() {
    [ -z "${sshd:-}" ] || kill "$sshd" 2>/dev/null || true
    rm -rf "$work"
    [ -z "$made" ] || userdel -r "$user" 2>/dev/null || true
}
trap finish EXIT
cd "$work"
chmod 755 "$work"

ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f key
mkdir -p "$home/.ssh" /run/sshd
cp key.pub "$home/.ssh/authorized_keys"
chown -R "$user" "$home/.ssh"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >sshd_config <<EOF
ListenAddress 127.0.0.1
Port $port
HostKey $work/host
AuthorizedKeysFile $home/.ssh/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 1000
MaxSessions 100
EOF
/usr/sbin/sshd -D -e -f "$work/sshd_config" 2>sshd.log &
sshd=$!
cat >config <<EOF
Host h*
  HostName 127.0.0.1
  Port $port
  User $user
  IdentityFile $work/key
  IdentitiesOnly yes
  IdentityAgent none
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
EOF
until ssh -F config h0 true 2>/dev/null; do sleep 0.2; done

# now: milliseconds
now() { echo $(($(date +%s%N) / 1000000)); }

# measure WORD…: the median wall time in milliseconds.
measure() {
    local times=()
    for _ in $(seq "$rounds"); do
        local begin
        begin=$(now)
        "$@" >out 2>&1 || { tail -20 out >&2; echo "failed: $*" >&2; exit 1; }
        times+=($(($(now) - begin)))
    done
    printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p"
}

# row WORK WHO MILLISECONDS BASE
row() { printf '| %-34s | %-28s | %8s ms | %6s |\n' "$1" "$2" "$3" "$(awk -v a="$3" -v b="$4" 'BEGIN { printf "%.2f", a / b }')"; }

skipped() { case " ${BENCH_SKIP:-} " in *" $1 "*) return 0 ;; esac; return 1; }
export RUNBOOK_STATE_DIR=$work/state ANSIBLE_HOST_KEY_CHECKING=False ANSIBLE_SSH_ARGS="-F $work/config -o ControlMaster=auto -o ControlPersist=60s"
run() { "$runbook" run "$1.rhai" -i "hosts$2.yaml" --yes "${@:3}"; }

# processes HOSTS TIMES: one master a host, and a process a command.
processes() {
    for host in $(seq 0 $(($1 - 1))); do
        (
            ssh -F config -M -S "cm$host" -Nf "h$host"
            for _ in $(seq "$2"); do ssh -F config -S "cm$host" "h$host" true; done
            ssh -F config -S "cm$host" -O exit "h$host" 2>/dev/null
        ) &
        pids[host]=$!
    done
    for host in $(seq 0 $(($1 - 1))); do wait "${pids[host]}"; done
}

inventories() {
    {
        echo "hosts:"
        for host in $(seq 0 $(($1 - 1))); do echo "  h$host: {address: h$host, config: $work/config}"; done
    } >"hosts$1.yaml"
    for host in $(seq 0 $(($1 - 1))); do echo "h$host"; done >"hosts$1.ini"
    {
        printf 'hosts = ['
        for host in $(seq 0 $(($1 - 1))); do printf '("h%s", {"ssh_config_file": "%s/config", "ssh_strict_host_key_checking": "no"}), ' "$host" "$work"; done
        echo ']'
    } >"hosts$1.py"
}

# commands HOSTS TIMES: the same work for everybody.
commands() {
    inventories "$1"
    cat >commands.rhai <<EOF
runbook #{ title: "Commands" };
step "go" { each(hosts("all"), #{ parallel: $1 }, |h| { for i in 0..$2 { h.run(["true"]); } }); }
EOF
    { printf -- '- hosts: all\n  gather_facts: false\n  tasks:\n'; for _ in $(seq "$2"); do printf '    - ansible.builtin.command: "true"\n      changed_when: false\n'; done; } >commands.yml
    { echo 'from pyinfra.operations import server'; for nth in $(seq "$2"); do echo "server.shell(name='$nth', commands=['true'])"; done; } >commands.py
    local name="$1 hosts x $2 commands" base
    base=$(measure processes "$1" "$2")
    row "$name" "ssh, a process a command" "$base" "$base"
    row "$name" "openssh native-mux, bare loop" "$(measure "$floor" mux config h "$1" "$2")" "$base"
    row "$name" "runbook" "$(measure run commands "$1" --parallel "$1")" "$base"
    row "$name" "runbook --dry-run" "$(measure run commands "$1" --parallel "$1" --dry-run)" "$base"
    peers commands "$1" "$name" "$base"
}

# peers FILE HOSTS NAME BASE
peers() {
    if command -v ansible-playbook >/dev/null && ! skipped ansible; then
        row "$3" "ansible" "$(measure ansible-playbook -f "$2" -i "hosts$2.ini" "$1.yml")" "$4"
        row "$3" "ansible, pipelining" "$(ANSIBLE_PIPELINING=True measure ansible-playbook -f "$2" -i "hosts$2.ini" "$1.yml")" "$4"
    fi
    if [ -e "$1.py" ] && command -v pyinfra >/dev/null && ! skipped pyinfra; then
        row "$3" "pyinfra" "$(measure pyinfra -y "hosts$2.py" "$1.py")" "$4"
    fi
}

printf 'runbook %s, %s, %s processors, sync of 1 KiB: %s us\n' "$("$runbook" --version | head -1)" "$(ssh -V 2>&1 | cut -d, -f1)" "$(nproc)" "$("$floor" sync "$work" 200)"
echo "| work | who | median of $rounds | to the first |"
echo "| --- | --- | --- | --- |"
commands 1 50
commands 10 20

# A line that is right already.
printf 'a=1\nsize=2\n' >"$home/app.conf"
chown "$user" "$home/app.conf"
cat >edit.rhai <<EOF
runbook #{ title: "Edit" };
step "go" { each(hosts("all"), #{ parallel: 10 }, |h| h.file("$home/app.conf").set_line("size", "2")); }
EOF
cat >edit.yml <<EOF
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.lineinfile: {path: $home/app.conf, regexp: '^size=', line: size=2}
EOF
base=$(measure run edit 10 --parallel 10)
row "a line that is right, 10 hosts" "runbook" "$base" "$base"
row "a line that is right, 10 hosts" "runbook --dry-run" "$(measure run edit 10 --parallel 10 --dry-run)" "$base"
peers edit 10 "a line that is right, 10 hosts" "$base"

# Starting.
{ echo 'runbook #{ title: "Long" };'; for nth in $(seq 499); do echo "let v$nth = $nth + 1; // line $nth"; done; } >long.rhai
base=$(measure "$runbook" --help)
row "start" "runbook --help" "$base" "$base"
row "start" "check of 500 lines" "$(measure "$runbook" check long.rhai)" "$base"

skipped large || {
    inventories 100
    echo 'runbook #{ title: "Hundred" }; step "go" { each(hosts("all"), #{ parallel: 20 }, |h| { for i in 0..5 { h.run(["true"]); } }); }' >hundred.rhai
    /usr/bin/time -f '%e s, %M KiB at most' "$runbook" run hundred.rhai -i hosts100.yaml --yes --parallel 20 >out 2>time || tail -5 out
    echo "100 hosts x 5 commands: $(tail -1 time)"
}
