# The files of a node.

make_node_root() {
    local name=$1 root=$dir/nodes/$1/root
    mkdir -p "$root"/{usr,etc/{cni/net.d,containerd,kubernetes,rancher/k3s,systemd/system},var/{lib/kubelet,log,tmp,cache,spool}} \
        "$root"/{run,tmp,root,home,opt/{kube,cni/bin},proc,sys,dev,mnt,srv}
    chmod 1777 "$root/tmp" "$root/var/tmp"
    chmod 700 "$root/root"
    ln -s /run "$root/var/run"
    local link
    for link in bin sbin lib lib32 lib64 libx32; do
        [ ! -L "/$link" ] || cp -P "/$link" "$root/$link"
    done
    touch "$root/opt/kube/kube"
    mkfifo -m 600 "$root/opt/kube/control"
    cp "$dir"/{busybox,pause}.tar "$root/opt/kube/"
    cp "$here/node/k3s" "$root/opt/kube/k3s"
    ln -s /usr/lib/cni/* "$root/opt/cni/bin/"
    cp "$here/node/flannel" "$root/opt/cni/bin/flannel"
    make_node_etc "$name" "$root/etc"
    make_units "$root/etc/systemd/system" "$name"
    certificate "$name" "/O=system:nodes/CN=system:node:$name" "DNS:$name,IP:$(node_address "$name")"
    kubeconfig "$name" "      client-certificate-data: $(base64 -w0 "$dir/pki/$name.crt")
      client-key-data: $(base64 -w0 "$dir/pki/$name.key")"
    cp "$dir/pki/ca.crt" "$dir/pki/$name.crt" "$dir/pki/$name.key" "$root/etc/kubernetes/"
    cp "$dir/conf/$name.kubeconfig" "$root/etc/kubernetes/kubelet.kubeconfig"
}

make_node_etc() {
    local file
    for file in passwd group nsswitch.conf ld.so.cache ld.so.conf os-release protocols services alternatives ssl dbus-1; do
        [ ! -e "/etc/$file" ] || cp -a "/etc/$file" "$2/"
    done
    echo "$1" >"$2/hostname"
    printf '127.0.0.1 localhost\n%s %s\n' "$(node_address "$1")" "$1" >"$2/hosts"
    openssl rand -hex 16 >"$2/machine-id"
    : >"$2/resolv.conf"
    : >"$2/fstab"
    printf 'node-ip: %s\nflannel-iface: tailscale0\n' "$(node_address "$1")" >"$2/rancher/k3s/config.yaml"
    cat >"$2/cni/net.d/10-flannel.conflist" <<JSON
{ "cniVersion": "1.0.0", "name": "cbr0", "plugins": [
  { "type": "flannel" }, { "type": "portmap", "capabilities": { "portMappings": true } } ] }
JSON
    cat >"$2/containerd/config.toml" <<TOML
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  disable_apparmor = true
  # Where we may not lower it for ourselves, the kubelet asks for it in vain.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
TOML
    cat >"$2/kubernetes/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication:
  anonymous: { enabled: false }
  webhook: { enabled: true }
  x509: { clientCAFile: /etc/kubernetes/ca.crt }
authorization: { mode: Webhook }
tlsCertFile: /etc/kubernetes/$1.crt
tlsPrivateKeyFile: /etc/kubernetes/$1.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failSwapOn: false
failCgroupV1: false
resolvConf: /etc/resolv.conf
# The disk and the memory are this machine's, shared by all nodes: none of them may evict or collect for that.
evictionHard: { memory.available: "1Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" }
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 5s
YAML
}

# make_units FOLDER NODE
make_units() {
    local unit k3s role
    k3s=$(unit_of "$2")
    case $k3s in k3s) role=server ;; *) role=agent ;; esac
    # A service of this machine's /usr would set this machine's clock, sysctls or devices: none of them starts here.
    for unit in /usr/lib/systemd/system/*.wants/*; do
        unit=${unit##*/}
        case $unit in
        systemd-journald.s* | systemd-journald-dev-log.socket | dbus.s* | *.target | '*') continue ;;
        esac
        ln -sf /dev/null "$1/$unit"
    done
    for unit in systemd-udevd.service systemd-networkd.service systemd-logind.service \
        systemd-remount-fs.service console-getty.service getty.target; do
        ln -sf /dev/null "$1/$unit"
    done
    cat >"$1/default.target" <<UNIT
[Unit]
Description=A node of the test cluster
Requires=basic.target
Wants=dbus.socket containerd.service kubelet.service $k3s.service
After=basic.target
UNIT
    cat >"$1/$k3s.service" <<UNIT
[Unit]
Description=Lightweight Kubernetes (a stand-in)
[Service]
Type=exec
ExecStart=/opt/kube/k3s $role
KillMode=process
Restart=always
RestartSec=5
UNIT
    cat >"$1/containerd.service" <<UNIT
[Unit]
Description=containerd
PartOf=$k3s.service
[Service]
ExecStart=/usr/bin/containerd
# Before the kubelet starts: it looks for new images twice a minute only.
ExecStartPost=/usr/bin/ctr --namespace k8s.io images import /opt/kube/busybox.tar
ExecStartPost=/usr/bin/ctr --namespace k8s.io images import /opt/kube/pause.tar
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=1
LimitNOFILE=1048576
UNIT
    cat >"$1/kubelet.service" <<UNIT
[Unit]
Description=kubelet
After=containerd.service
PartOf=$k3s.service
[Service]
ExecStart=/opt/kube/kube kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubelet.kubeconfig \\
    --hostname-override=$2 --node-ip=$(node_address "$2") --v=1
KillMode=process
Restart=always
RestartSec=1
UNIT
}
