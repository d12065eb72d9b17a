# Nodes: each with a network, processes, mounts, a host name and cgroups of its own, systemd as its first process,
# containerd and the kubelet as services. /usr is this machine's, read-only; all other files are the node's own.

# The first is the server, the others are agents.
unit_of() { case $1 in node-1) echo k3s ;; *) echo k3s-agent ;; esac; }
node_address() { echo "192.168.77.$((10 + ${1#node-}))"; }

start_node() {
    local name=node-$1 node=$dir/nodes/node-$1 own
    mkdir -p "$node"
    [ -e "$dir/busybox.tar" ] || make_images
    make_node_network "$name"
    make_node_root "$name"
    # The node's cgroups are below our own, whatever limits us limits it.
    while IFS=: read -r _ controllers own; do
        make_cgroup "$controllers" "${own%/}/runbook-$(cksum <<<"$node" | cut -d' ' -f1)" >>"$node/cgroups"
    done </proc/self/cgroup
    # shellcheck disable=SC2016
    spawn "$name" sh -ec 'while read -r group; do echo $$ >"$group/cgroup.procs"; done <"$1/cgroups"
        exec nsenter --net="$1/net" -- unshare --mount --uts --ipc --pid --cgroup --fork --kill-child=KILL -- \
            "$2/node/boot" "$1" "$3"' sh "$node" "$here" "$name"
}

make_node_network() {
    local node=$dir/nodes/$1
    : >"$node/net"
    unshare --net="$node/net" -- ip link set lo up
    # What stands in for Tailscale is a link of the same name, address range and MTU.
    in_network ip link add "$1" type veth peer name eth0 netns "$node/net"
    in_network ip link add "$1-ts" mtu 1280 type veth peer name tailscale0 mtu 1280 netns "$node/net"
    in_network ip link set "$1" master lan0 up
    in_network ip link set "$1-ts" master ts0 up
    nsenter --net="$node/net" -- sh -ec "
        ip link set eth0 up
        ip link set tailscale0 up
        ip address add $(node_address "$1")/24 dev eth0
        ip address add 100.64.77.${1#node-}/24 dev tailscale0
        ip route add default via $api_address
        echo 1 >/proc/sys/net/ipv4/ip_forward"
}

# make_cgroup CONTROLLERS PATH: prints the folder of the new cgroup. No controllers: in the tree of version 2, by
# which systemd knows its services where both versions are mounted.
make_cgroup() {
    local tree=/sys/fs/cgroup/${1#name=}
    [ -n "$1" ] || tree=/sys/fs/cgroup/unified
    [ -d "$tree" ] || die "there is no $tree: nodes need the cgroups of version 1"
    local parent=$tree${2%/*} group=$tree$2 file
    mkdir "$group"
    # A new cpuset is empty, and takes no process before it has what its parent has.
    for file in cpuset.cpus cpuset.mems; do
        [ ! -e "$group/$file" ] || cat "$parent/$file" >"$group/$file"
    done
    echo "$group"
}

forget_node() {
    local group
    umount "$1/net" 2>/dev/null || true
    [ -e "$1/cgroups" ] || return 0
    while read -r group; do
        [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null ||
            until_true 10 "the cgroup $group" sh -c "find '$group' -depth -type d -exec rmdir {} +"
    done <"$1/cgroups"
}

# The first process of a node, as this machine sees it.
init_of() {
    local outer
    outer=$(pid_of "$1") || die "$1 does not run"
    pgrep -P "$outer" | head -n 1
}

on_node() {
    local init
    init=$(init_of "$1")
    [ -n "$init" ] || die "$1 does not run"
    shift
    nsenter --target "$init" --mount --uts --ipc --net --pid --root --wd -- "$@"
}

node_settled() { on_node "$1" systemctl is-active --quiet containerd.service kubelet.service "$(unit_of "$1")"; }
node_known() { api GET "/api/v1/nodes/$1"; }
# Ready, and it has told which images it has.
node_ready() {
    api GET "/api/v1/nodes/$1" | jq -e --arg image "$busybox_image" '
        any(.status.conditions[]; .type == "Ready" and .status == "True")
        and any(.status.images[]?.names[]?; . == $image)'
}
node_has_network() { on_node "$1" test -e /run/flannel/subnet.env; }

await_node() {
    local name=node-$1
    until_true 60 "the services of $name" node_settled "$name"
    until_true 90 "the kubelet of $name" node_known "$name"
    if [ "$(unit_of "$name")" = k3s ]; then
        content_type=application/merge-patch+json api PATCH "/api/v1/nodes/$name" \
            '{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true"}}}' >/dev/null
    fi
    until_true 90 "the pod network of $name" node_has_network "$name"
    until_true 90 "$name ready" node_ready "$name"
}
