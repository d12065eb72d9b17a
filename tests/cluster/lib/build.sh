# The programs of Kubernetes, built once and kept outside the tree.

build() {
    local cache key version
    cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/runbook-test-cluster
    key=$(cat "$here"/go.mod "$here"/go.sum "$here"/*.go | sha256sum | cut -c1-16)
    if [ ! -x "$cache/$key/kube" ]; then
        command -v go >/dev/null || die "the Go toolchain is needed, once, to build the programs of Kubernetes"
        mkdir -p "$cache/$key"
        echo "building the programs of Kubernetes (once; minutes)" >&2
        # No debugging information: a fifth less work for the compiler, and nobody debugs Kubernetes here.
        version=$(sed -n 's/^require k8s.io\/kubernetes //p' "$here/go.mod")
        (cd "$here" && nice -n 10 go build -p 2 -gcflags=all=-dwarf=false \
            -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" \
            -o "$cache/$key/kube.new" .) >&2
        mv "$cache/$key/kube.new" "$cache/$key/kube"
    fi
    echo "$cache/$key/kube"
}
