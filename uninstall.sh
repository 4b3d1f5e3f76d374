#!/bin/sh
# Takes allscreenshots-box off this machine. Keys, settings and the system user stay, unless --purge is given.
# The apt packages (browser, fonts, Python) stay in any case: other programs may use them.

set -eu

box_user=allscreenshots
prefix=/opt/allscreenshots-box
data_dir=/var/lib/allscreenshots-box
config_dir=/etc/allscreenshots-box
command_link=/usr/local/bin/allscreenshots-box
unit_file=/etc/systemd/system/allscreenshots-box.service
emoji_file=/etc/fonts/conf.d/50-allscreenshots-box-emoji.conf
apparmor_file=/etc/apparmor.d/allscreenshots-box-browser
completion_file=/usr/share/bash-completion/completions/allscreenshots-box
stop_seconds=90 # as the unit gives it

usage() {
    cat <<'EOF'
Usage: sudo /opt/allscreenshots-box/uninstall.sh [--purge [--yes]]

Stops the service and removes the program. Keys, settings, copies of the database and the user allscreenshots stay.
  --purge   remove these too, and the environments that `install.sh --serve` and `--test` made under /opt;
            asks first
  --yes     do not ask
EOF
}

say() { printf '%s\n' "$*" >&2; }

# Prints the process that serves the service's data, if one does: the kernel's list of locks tells.
server_of_data() {
    inode=$(stat -c %i "$data_dir/serve.lock" 2>/dev/null) || return 0
    sed -n "s/.* FLOCK .* \([0-9]*\) [0-9a-f]*:[0-9a-f]*:$inode .*/\1/p" /proc/locks | head -n 1
}

# Ends a box that was started by hand. What keeps it alive, if something does, is told; then nothing was removed.
stop_server() {
    server=$(server_of_data)
    [ -n "$server" ] || return 0
    say "Stopping the box that serves $data_dir (process $server): running shots finish first."
    kill "$server" 2>/dev/null || :
    waited=0
    while [ -n "$(server_of_data)" ]; do
        if [ "$waited" -ge "$stop_seconds" ]; then
            say "uninstall.sh: process $(server_of_data) still serves $data_dir: stop it, and what starts it anew; then" \
                "run this again. Nothing was removed."
            exit 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

# One function, read in full before it starts: the file it stands in is among those that it removes.
main() {
    purge=
    sure=
    for argument in "$@"; do
        case $argument in
        --purge) purge=yes ;;
        --yes) sure=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *)
            say "uninstall.sh: unknown option: $argument"
            usage >&2
            exit 2
            ;;
        esac
    done
    if [ -n "$purge" ] && [ -z "$sure" ] && [ ! -t 0 ]; then
        say "uninstall.sh: --purge deletes all keys; without a terminal to ask on, it takes --yes too."
        exit 2
    fi
    if [ "$(id -u)" -ne 0 ]; then
        say "uninstall.sh: this takes root."
        exit 1
    fi
    if [ -n "$purge" ] && [ -z "$sure" ]; then
        printf 'Delete all keys and data in %s, and %s? [y/N] ' "$data_dir" "$config_dir" >&2
        read -r answer || answer=
        case $answer in
        y | Y | yes) ;;
        *)
            say "Nothing was changed."
            exit 1
            ;;
        esac
    fi

    if [ -d /run/systemd/system ] && [ -e "$unit_file" ]; then
        systemctl disable --now --quiet allscreenshots-box || say "The service could not be stopped; going on."
    fi
    stop_server
    if [ -e "$apparmor_file" ] && command -v apparmor_parser >/dev/null; then
        apparmor_parser -R "$apparmor_file" || say "AppArmor keeps the profile in $apparmor_file until the next boot."
    fi
    rm -f "$unit_file" "$emoji_file" "$apparmor_file" "$completion_file"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    case $(readlink "$command_link" || :) in
    "$prefix"/*) rm -f "$command_link" ;;
    esac
    rm -rf "$prefix"

    if [ -z "$purge" ]; then
        say "Removed. Keys and data are still in $data_dir, settings in $config_dir; --purge removes them as well."
        return 0
    fi
    rm -rf "$config_dir" /opt/allscreenshots-box-checkout-*
    # The folder may be a link, or a mount that cannot be removed itself.
    find "$data_dir/" -mindepth 1 -delete 2>/dev/null || :
    rm -rf "$data_dir" 2>/dev/null || say "$data_dir is empty, but could not be removed."
    if id "$box_user" >/dev/null 2>&1; then
        userdel "$box_user" || say "User $box_user stays: see above. Later: userdel $box_user"
    fi
    say "Removed, with all keys, data and settings."
}

main "$@"
