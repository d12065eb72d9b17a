#!/usr/bin/env bash
# The part of all.sh that compares over one private sshd on loopback: floors, runbook, ansible-core, pyinfra.
set -euo pipefail
. "$(dirname "$0")/measure.bash"
user=runbook-bench
made= mounted=
id "$user" >/dev/null 2>&1 || { useradd -m -s /bin/sh -p '*' "$user"; made=yes; }
home=$(getent passwd "$user" | cut -d: -f6)
finish() {
    [ -z "${sshd:-}" ] || kill "$sshd" 2>/dev/null || true
    # Connections that a peer keeps for a while; a user with processes is not removed.
    [ -z "$made$mounted" ] || pkill -u "$user" || true
    [ -z "$mounted" ] || umount -l "$home"
    [ -z "$made" ] || userdel -r "$user" 2>/dev/null || true
}
trap finish EXIT

# What the targets write lies on ext4 as mkfs makes it. An ext4 without a journal, which some virtual machines have, makes
# whoever creates a file look at each inode that was freed in the last minutes: rounds would pay for those before them.
plain_home() {
    truncate -s 256M "$work/home" && mkfs.ext4 -q "$work/home" && mount -o loop "$work/home" "$home" || return
    mounted=yes
    chown "$user:" "$home"
}
plain_home 2>/dev/null || echo "(no file system of its own for what the targets write)" >&2
cd "$work"

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

export ANSIBLE_HOST_KEY_CHECKING=False ANSIBLE_SSH_ARGS="-F $work/config -o ControlMaster=auto -o ControlPersist=60s"
# run BOOK HOSTS WORD…
run() { measure "$runbook" run "$1.rhai" -i "hosts$2.yaml" --yes --parallel "$2" "${@:3}"; }

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
    local name="$1 × $2 commands" base
    measure processes "$1" "$2"
    base=$wall
    row "$name" "ssh, a process a command" "$base"
    measure "$floor" mux config h "$1" "$2"
    row "$name" "openssh native-mux, bare loop" "$base"
    run commands "$1"
    row "$name" "runbook" "$base"
    run commands "$1" --dry-run
    row "$name" "runbook --dry-run" "$base"
    peers commands "$1" "$name" "$base"
}

# peers FILE HOSTS NAME BASE
peers() {
    if ! skipped ansible && [ "$2" -lt 100 ]; then
        measure ansible-playbook -f "$2" -i "hosts$2.ini" "$1.yml"
        row "$3" "ansible-core" "$4"
        ANSIBLE_PIPELINING=True measure ansible-playbook -f "$2" -i "hosts$2.ini" "$1.yml"
        row "$3" "ansible-core, pipelining" "$4"
    fi
    if [ -e "$1.py" ] && ! skipped pyinfra; then
        measure pyinfra -y "hosts$2.py" "$1.py"
        row "$3" "pyinfra" "$4"
    fi
}

commands 1 50
commands 10 20
skipped hundred || commands 100 5

# A line that is right already.
printf 'a=1\nsize=2\n' >"$home/app.conf"
chown "$user" "$home/app.conf"
cat >edit.rhai <<RHAI
runbook #{ title: "Edit" };
step "go" { each(hosts("all"), #{ parallel: 10 }, |h| h.file("$home/app.conf").set_line("size", "2")); }
RHAI
cat >edit.yml <<YAML
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.lineinfile: {path: $home/app.conf, regexp: '^size=', line: size=2}
YAML
cat >edit.py <<PY
from pyinfra.operations import files
files.line(name='size', path='$home/app.conf', line='^size=.*', replace='size=2')
PY
name="a line that is right, 10 hosts"
run edit 10
base=$wall
row "$name" "runbook" "$base"
run edit 10 --dry-run
row "$name" "runbook --dry-run" "$base"
# What nobody who connects anew can undercut.
measure "$floor" mux config h 10 1
row "$name" "openssh native-mux: ten connections, \`true\` on each" "$base"
peers edit 10 "$name" "$base"
