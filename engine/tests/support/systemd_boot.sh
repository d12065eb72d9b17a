#!/bin/sh
# Becomes process 1 of a machine with a systemd of its own. Started by `unshare` in new namespaces of mounts, processes,
# names, ipc and cgroups, as root. The files are this machine's, read through an overlay that is gone when it ends.
# WORK: an empty directory. SHARED: a directory that both sides see under the same name; `sshd_config` is in it.
set -eu
work=$1 shared=$2
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc proc proc
# Nothing of the kernel that all share is set from in there.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for directory in run tmp dev dev/shm; do
    mkdir -p "$directory"
    mount -t tmpfs -o mode=1777 tmpfs "$directory"
done
chmod 755 run dev
mkdir dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir -p ".$shared"
mount --bind "$shared" ".$shared"

# Two users: root, and one whom nobody favours. Their processes end with their session.
echo 'nora:x:47111:47111::/home/nora:/bin/sh' >>etc/passwd
echo 'nora:x:47111:' >>etc/group
echo 'nora:*:19000:0:99999:7:::' >>etc/shadow
mkdir -p home/nora etc/systemd/logind.conf.d var/lib/systemd/linger
chown 47111:47111 home/nora
printf '[Login]\nKillUserProcesses=yes\nKillExcludeUsers=\n' >etc/systemd/logind.conf.d/kill.conf

# Of all services only what a login needs.
rm -rf lib/systemd/system/*.wants etc/systemd/system
mkdir -p etc/systemd/system run/sshd run/lock
cat >etc/systemd/system/login.target <<UNIT
[Unit]
Requires=dbus.socket dbus.service systemd-logind.service private-sshd.service
UNIT
cat >etc/systemd/system/private-sshd.service <<UNIT
[Unit]
After=systemd-logind.service
[Service]
ExecStart=/usr/sbin/sshd -D -e -f $shared/sshd_config
StandardError=append:$shared/log
KillMode=process
UNIT
mkdir -p old
pivot_root . old
umount -l /old
exec env -i container=private PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=login.target --show-status=0
