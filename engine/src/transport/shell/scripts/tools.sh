# need TOOL…: refuses if the target lacks one of them.
need() {
    missing=
    for tool in "$@"; do
        case $tool in
        stat) [ "$(stat -c %f / 2>/dev/null)" != "" ] || missing="$missing stat" ;;
        readlink) readlink -f / >/dev/null 2>&1 || missing="$missing readlink" ;;
        head) [ "$(printf ab | head -c 1 2>/dev/null)" = a ] || missing="$missing head" ;;
        *) command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool" ;;
        esac
    done
    [ -z "$missing" ] || refuse "the target lacks$missing; install coreutils and util-linux (or busybox with these applets)"
}
