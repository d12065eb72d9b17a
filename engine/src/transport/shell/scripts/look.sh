# look ACTION PATH LIMIT: `stat` or `read`, symbolic links followed. Whether a tool is there, and is what we mean by its
# name, is asked when it has failed: most have it, and asking costs more than the look itself.
look() {
    action=$1 path=$2 limit=$3
    facts_of_path
    [ "$action" = read ] || end "facts $facts"
    case $facts in
    8???\ *) ;;
    4???\ *) refuse "$path is a directory, not a regular file" ;;
    *) refuse "$path is not a regular file (a device, socket or pipe)" ;;
    esac
    set -- $facts
    [ "$2" -le "$limit" ] || refuse "$path has $2 bytes; files of at most $limit bytes are read, use a command for larger ones"
    [ -r "$path" ] || refuse "$path: permission denied to $(id -un 2>/dev/null || id -u); use a user who may read it, or \`become\` in the inventory"
    before=$facts context=
    if [ -e /sys/fs/selinux/enforce ]; then context=$(stat -L -c %C "$path" 2>/dev/null); fi
    head -c "$((limit + 1))" "$path" || { need head && refuse "$path cannot be read"; }
    facts_of_path
    [ "$before" = "$facts" ] || end moving
    end "facts $facts $context"
}

# facts_of_path: one line of facts about $path in $facts, or ends the exchange.
facts_of_path() {
    if ! facts=$(LC_ALL=C stat -L -c '%f %s %u %g %Y %i %d' "$path" 2>&1); then
        why=$facts
        # Else a shell that cannot start it may say words that would be taken for those of a missing file.
        need stat
        case $why in
        *"No such file"* | *"Not a directory"*)
            if [ "$action" = read ] && [ -h "$path" ]; then
                refuse "$path is a symbolic link to something that does not exist ($(readlink "$path"))"
            fi
            end absent
            ;;
        *"Permission denied"*) refuse "$path: permission denied to $(id -un 2>/dev/null || id -u); use a user who may, or \`become\` in the inventory" ;;
        *) refuse "$why" ;;
        esac
    fi
}
