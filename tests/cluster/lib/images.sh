# Images from what is on this machine: none is pulled from anywhere.
busybox_image=runbook.test/busybox:1.35
pause_image=runbook.test/pause:1

# image TAG FOLDER COMMAND ARCHIVE: FOLDER's files as one layer, in the form of `docker save`.
image() {
    local work layer config
    work=$(mktemp -d "$dir/image.XXXXXX")
    tar -C "$2" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/layer.tar" .
    layer=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
    cat >"$work/config.json" <<JSON
{"architecture":"$(go_architecture)","os":"linux","created":"1970-01-01T00:00:00Z",
 "config":{"Cmd":["$3"],"Env":["PATH=/bin:/sbin:/usr/bin:/usr/sbin"]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$layer"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}
JSON
    config=$(sha256sum <"$work/config.json" | cut -d' ' -f1)
    mv "$work/config.json" "$work/$config.json"
    echo "[{\"Config\":\"$config.json\",\"RepoTags\":[\"$1\"],\"Layers\":[\"layer.tar\"]}]" >"$work/manifest.json"
    tar -C "$work" -cf "$4" manifest.json "$config.json" layer.tar
    rm -rf "$work"
}

go_architecture() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }

make_images() {
    local root
    root=$(mktemp -d "$dir/root.XXXXXX")
    mkdir -p "$root"/{bin,etc,tmp,root,proc,sys,dev,host}
    cp "$(command -v busybox)" "$root/bin/busybox"
    "$root/bin/busybox" --list | while read -r name; do
        [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
    done
    echo "root:x:0:0:root:/root:/bin/sh" >"$root/etc/passwd"
    image "$busybox_image" "$root" /bin/sh "$dir/busybox.tar"
    rm -rf "$root"

    # The first process of each pod: it waits, and reaps what is orphaned into it.
    mkdir "$root"
    echo '#include <signal.h>
#include <unistd.h>
static void stop(int signal) { _exit(0); }
int main(void) {
    signal(SIGCHLD, SIG_IGN);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    for (;;) pause();
}' | gcc -x c -static -Os -s -o "$root/pause" -
    image "$pause_image" "$root" /pause "$dir/pause.tar"
    rm -rf "$root"
}
