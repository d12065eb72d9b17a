# The control plane: etcd, API server, scheduler, controllers. It lives in the cluster's own network, so its ports
# are always these and disturb nobody.
api_address=192.168.77.1
api_port=6443
pods=10.42.0.0/16

# A namespace with two bridges, one for the nodes' LAN, one for their tailnet, and no way out of it.
make_network() {
    : >"$dir/net"
    unshare --net="$dir/net" -- sh -ec "
        ip link set lo up
        ip link add lan0 type bridge
        ip address add $api_address/24 dev lan0
        ip link set lan0 up
        ip link add ts0 type bridge
        ip link set ts0 up
        echo 1 >/proc/sys/net/ipv4/ip_forward"
}

in_network() { nsenter --net="$dir/net" -- "$@"; }
spawn_in_network() {
    local name=$1
    shift
    spawn "$name" nsenter --net="$dir/net" -- "$@"
}

start_etcd() {
    # What is in here dies with the cluster: no sync to disk is worth its time.
    spawn_in_network etcd etcd --name test --data-dir "$dir/etcd" --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster test=http://127.0.0.1:2380 --logger zap --log-level warn
}

write_audit_policy() {
    cat >"$dir/conf/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  # What the cluster does by itself is not what the tests ask about.
  - level: None
    userGroups: ["system:nodes"]
  - level: None
    users: ["system:kube-scheduler", "system:kube-controller-manager", "system:apiserver"]
  - level: None
    userGroups: ["system:serviceaccounts:kube-system"]
  - level: Metadata
YAML
}

start_apiserver() {
    spawn_in_network apiserver "$dir/kube" kube-apiserver \
        --etcd-servers=http://127.0.0.1:2379 \
        --bind-address=$api_address --advertise-address=$api_address --secure-port=$api_port \
        --tls-cert-file="$dir/pki/apiserver.crt" --tls-private-key-file="$dir/pki/apiserver.key" \
        --client-ca-file="$dir/pki/ca.crt" \
        --kubelet-preferred-address-types=InternalIP \
        --kubelet-certificate-authority="$dir/pki/ca.crt" \
        --kubelet-client-certificate="$dir/pki/apiserver-kubelet.crt" \
        --kubelet-client-key="$dir/pki/apiserver-kubelet.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$dir/pki/accounts.pub" \
        --service-account-signing-key-file="$dir/pki/accounts.key" \
        --service-cluster-ip-range=10.43.0.0/16 \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --anonymous-auth=true --allow-privileged=true \
        --audit-policy-file="$dir/conf/audit.yaml" --audit-log-path="$dir/log/audit.log" \
        --shutdown-delay-duration=0s --v=1
}

api_ready() { api GET /readyz; }
await_apiserver() { until_true 120 "the API server" api_ready; }

# Flannel reads all nodes, as k3s lets it; a kubelet may read only its own.
allow_flannel() {
    local group=rbac.authorization.k8s.io
    api POST /apis/$group/v1/clusterroles '{"metadata":{"name":"flannel"},"rules":[
        {"apiGroups":[""],"resources":["nodes"],"verbs":["get","list","watch"]}]}' >/dev/null
    api POST /apis/$group/v1/clusterrolebindings '{"metadata":{"name":"flannel"},
        "roleRef":{"apiGroup":"'$group'","kind":"ClusterRole","name":"flannel"},
        "subjects":[{"apiGroup":"'$group'","kind":"Group","name":"system:nodes"}]}' >/dev/null
}

start_control_plane() {
    write_audit_policy
    start_etcd
    start_apiserver
    await_apiserver
    allow_flannel
    spawn_in_network controller-manager "$dir/kube" kube-controller-manager \
        --kubeconfig="$dir/conf/controller-manager.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 \
        --use-service-account-credentials --root-ca-file="$dir/pki/ca.crt" \
        --service-account-private-key-file="$dir/pki/accounts.key" \
        --allocate-node-cidrs --cluster-cidr=$pods --node-cidr-mask-size=24 --v=1
    spawn_in_network scheduler "$dir/kube" kube-scheduler \
        --kubeconfig="$dir/conf/scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 --v=1
    until_true 60 "the default service account" api GET /api/v1/namespaces/default/serviceaccounts/default
}
