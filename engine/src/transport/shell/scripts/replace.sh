# replace PATH EXPECTED_LENGTH EXPECTED_FACTS WANTED_LENGTH MODE UID GID CONTEXT: compares and replaces a file in one
# exchange. A length of `-` means absent. EXPECTED_FACTS: `mode uid gid` in decimal as read.
# The contents, expected and then wanted, are in $given_1 and $given_2 if $inline is set, else the standard input.
replace() {
    path=$1 expected=$2 expected_facts=$3 wanted=$4 mode=$5 uid=$6 gid=$7 context=$8
    find_final
    folder=${final%/*}/
    [ -d "$folder" ] || refuse "the directory $folder does not exist; make it first"

    # Everything temporary is in one directory beside the target, so that one `rm` leaves nothing.
    # A link count of one is what the new file has: a name that shared its content with others (hard links) leaves them.
    work=$folder.runbook-$nonce
    locked=
    clean() {
        [ -z "$locked" ] || rm -f "$locked"
        locked=
        [ -z "$work" ] || rm -rf "$work"
        work=
    }
    trap clean EXIT
    trap 'exit 1' HUP INT TERM PIPE
    umask 077
    problem=$(LC_ALL=C mkdir "$work" 2>&1) || case $problem in
    *"Permission denied"*) refuse "$folder: permission denied to $(id -un 2>/dev/null || id -u), who cannot write there; use a user who may, or \`become\` in the inventory" ;;
    *) refuse "no temporary directory can be made in $folder: $problem" ;;
    esac
    lock_folder
    take_contents
    if [ "$wanted" = - ]; then
        unchanged || end changed
        [ "$expected" = - ] || rm -f "$final" 2>"$work/errors" || fail "$final cannot be removed"
        sync_paths "$folder"
        end done
    fi
    dress
    sync_paths "$work/new"
    put
    sync_paths "$folder"
    end done
}

# find_final: the file behind a symbolic link, in $final.
find_final() {
    [ ! -d "$path" ] || refuse "$path is a directory, not a regular file"
    final=$path
    if [ -h "$path" ]; then
        # Two extra characters keep a line feed at the end of a name, which `$( )` would strip.
        final=$(readlink -f "$path" && echo x) || refuse "$path is a symbolic link that cannot be followed"
        final=${final%?x}
        [ -e "$final" ] || refuse "$path is a symbolic link to something that does not exist ($final)"
    fi
    [ ! -e "$final" ] || [ -f "$final" ] || refuse "$path is not a regular file (a device, socket or pipe)"
}

# take_contents: what was sent, in the files `expected` and `new` of $work. The new one first gets the attributes,
# access lists and labels of the old file, as far as the target's `cp` knows them.
take_contents() {
    if [ "$expected" != - ] && [ "$wanted" != - ]; then
        cp --attributes-only --preserve=all "$final" "$work/new" 2>/dev/null ||
            { : >"$work/new" && chcon --reference="$final" "$work/new"; } 2>/dev/null
        # A new content is a new time, and may need the right to write it. Its mode comes last.
        [ -w "$work/new" ] || chmod u+w "$work/new" 2>/dev/null
    fi
    need=0
    [ "$expected" = - ] || need=$((need + expected))
    [ "$wanted" = - ] || need=$((need + wanted))
    if [ -n "$inline" ]; then
        (
            [ "$expected" = - ] || printf %s "$given_1" >"$work/expected" || exit 1
            [ "$wanted" = - ] || printf %s "$given_2" >"$work/new"
        ) 2>/dev/null || refuse "no room for a temporary file in $folder"
        return
    fi
    (cat <&3 >"$work/input") 2>/dev/null || refuse "no room for a temporary file in $folder"
    # A connection that breaks ends the input early: nothing may be written then.
    [ "$(($(wc -c <"$work/input")))" -eq "$need" ] || refuse "the content did not arrive whole (is the disk full?)"
    if [ "$expected" = - ]; then
        [ "$wanted" = - ] || mv "$work/input" "$work/new"
        return
    fi
    head -c "$expected" "$work/input" >"$work/expected"
    [ "$wanted" = - ] || tail -c "+$((expected + 1))" "$work/input" >"$work/new" 2>"$work/errors" || fail "no room for a temporary file in $folder"
}

# lock_folder: one writer of ours at a time in this directory. `flock` lets go when this shell ends, however it ends;
# without it a link does, with its owner's name so that a dead owner's lock can be told and taken away.
lock_folder() {
    if ! command -v flock >/dev/null 2>&1; then
        lock_by_link
    elif [ -r "$folder" ]; then
        exec 9<"$folder"
        flock 9 || refuse "$folder cannot be locked"
    fi
}

lock_by_link() {
    lock=$folder.runbook-lock
    own
    echo "$self $born" >"$work/owner"
    until ln "$work/owner" "$lock" 2>/dev/null; do
        if read -r pid born 2>/dev/null <"$lock" && [ "$(birth "$pid")" != "$born" ]; then
            mv "$lock" "$work/stale" 2>/dev/null
        else
            sleep 0.05 2>/dev/null || sleep 1
        fi
    done
    locked=$lock
}

same() {
    if command -v cmp >/dev/null 2>&1; then
        cmp -s "$1" "$2"
    else
        [ "$(sha256sum <"$1")" = "$(sha256sum <"$2")" ]
    fi
}

# unchanged: is the file still what was read?
unchanged() {
    if [ "$expected" = - ]; then
        [ ! -e "$final" ] && [ ! -h "$final" ]
        return
    fi
    [ -f "$final" ] || return 1
    facts=$(stat -L -c '%a %u %g' "$final") || return 1
    mode_now=${facts%% *}
    [ "$((0$mode_now)) ${facts#* }" = "$expected_facts" ] && same "$work/expected" "$final"
}

fail() {
    refuse "$1: $(tr '\n' ' ' <"$work/errors")"
}

# dress: the new file's length is what was sent, its owner, mode and label what is wanted.
dress() {
    facts=$(stat -c '%u %g %a %s' "$work/new" 2>/dev/null)
    [ "${facts##* }" = "$wanted" ] || refuse "the content did not arrive whole (is the disk full?)"
    case $facts in
    "$uid $gid "*) ;;
    *)
        chown "$uid:$gid" "$work/new" 2>"$work/errors" || fail "$path: the owner cannot be set to $uid:$gid"
        # That takes away the bits of set-user-id.
        facts=
        ;;
    esac
    case $facts in
    "$uid $gid ${mode#0} "* | "$uid $gid ${mode#00} "* | "$uid $gid ${mode#000} "*) ;;
    *) chmod "$mode" "$work/new" 2>"$work/errors" || fail "$path: the mode cannot be set to $mode" ;;
    esac
    if [ -e /sys/fs/selinux/enforce ] && [ -n "$context" ]; then
        [ "$(stat -c %C "$work/new" 2>/dev/null)" = "$context" ] || chcon "$context" "$work/new" 2>"$work/errors" ||
            fail "$path: the SELinux context cannot be set to $context"
    fi
}

# put: the new file takes the place of the old one, if that is still what was read.
put() {
    unchanged || end changed
    if [ "$expected" = - ]; then
        # A link never replaces what has appeared meanwhile.
        ln "$work/new" "$final" 2>"$work/errors" || { [ ! -e "$final" ] || end changed; fail "$final cannot be made"; }
        [ -n "$context" ] || [ ! -e /sys/fs/selinux/enforce ] || restorecon "$final" 2>/dev/null
    else
        mv -f "$work/new" "$final" 2>"$work/errors" || fail "$final cannot be replaced"
    fi
}
