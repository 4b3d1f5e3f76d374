#!/bin/sh
# Installs allscreenshots-box, or sets up this checkout to serve or to be tested. Safe to run again at any time.
#
# Knobs, all optional, from the environment:
#   INSTALL_PYTHON=python3.12   the interpreter to use (a name on PATH or an absolute path; 3.11 or newer);
#                               found by itself when unset
#   INSTALL_SKIP_PACKAGES=1     leave apt alone: the browser and the fonts are there already
# pip's own variables (PIP_INDEX_URL, PIP_FIND_LINKS, ...) are passed through.

set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
box_user=allscreenshots
prefix=/opt/allscreenshots-box
data_dir=/var/lib/allscreenshots-box # as in allscreenshots_box/config.py
config_file=/etc/allscreenshots-box/config.toml
command_link=/usr/local/bin/allscreenshots-box
unit_file=/etc/systemd/system/allscreenshots-box.service
emoji_file=/etc/fonts/conf.d/50-allscreenshots-box-emoji.conf
apparmor_file=/etc/apparmor.d/allscreenshots-box-browser
completion_file=/usr/share/bash-completion/completions/allscreenshots-box
userns_switch=/proc/sys/kernel/apparmor_restrict_unprivileged_userns # Ubuntu's
browser_package=chromium-headless-shell
tool_packages=libnss3-tools # tells the browser of the authorities in ca_dir
font_packages="fonts-liberation fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
python_packages="python3 python3-venv"

usage() {
    cat <<'EOF'
Usage: sudo ./install.sh                   install as a service under /opt/allscreenshots-box, or upgrade it
       ./install.sh --serve [ARGS...]      set up this checkout, make a first key, serve in the foreground
       ./install.sh --test [ARGS...]       set up this checkout, run the tests (ARGS go to pytest)
       ./install.sh --print-venv           say where this checkout's environment is, or would be
       ./install.sh --help

Environment: INSTALL_PYTHON=PYTHON     the interpreter to use, 3.11 or newer
             INSTALL_SKIP_PACKAGES=1   do not install the browser and the fonts with apt
EOF
}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "install.sh: $*"
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Shows what a command said only if it failed.
quietly() {
    if ! "$@" >"$scratch/log" 2>&1; then
        cat "$scratch/log" >&2
        return 1
    fi
}

# --- who ------------------------------------------------------------------------------------------------------

make_user() {
    is_root || return 0
    id "$box_user" >/dev/null 2>&1 && return 0
    if getent group "$box_user" >/dev/null; then
        set -- --gid "$box_user"
    else
        set -- --user-group
    fi
    useradd --system "$@" --home-dir "$data_dir" --no-create-home --shell /usr/sbin/nologin \
        --comment "allscreenshots-box" "$box_user"
    say "Made the system user $box_user."
}

# Runs a command as whoever the server will be: started as root it becomes $box_user, otherwise it stays who we are.
# Before that user exists (only --print-venv gets here then), nobody stands in.
as_server() {
    if ! is_root; then
        (cd / && "$@")
        return
    fi
    server_user=$box_user
    id "$server_user" >/dev/null 2>&1 || server_user=nobody
    set -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ "$@"
    if command -v setpriv >/dev/null; then
        (cd / && setpriv --reuid "$(id -u "$server_user")" --regid "$(id -g "$server_user")" --clear-groups \
            --inh-caps=-all -- "$@")
    elif command -v runuser >/dev/null; then
        (cd / && runuser -u "$server_user" -- "$@")
    else
        die "neither setpriv nor runuser is here; both come with util-linux: apt-get install util-linux"
    fi
}

# --- packages -------------------------------------------------------------------------------------------------

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

apt_knows() { [ -n "$(apt-cache show --no-all-versions "$1" 2>/dev/null)" ]; }

# Installs what is missing of the browser, the fonts and the packages named in "$@".
install_packages() {
    [ "${INSTALL_SKIP_PACKAGES:-}" != 1 ] || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "No apt here: see to it that there are Chromium ($browser_package or chromium) and fonts ($font_packages)."
        return 0
    fi
    missing="$*"
    # A host whose apt has no headless shell keeps its plain Chromium.
    if ! is_installed "$browser_package" && { ! is_installed chromium || apt_knows "$browser_package"; }; then
        missing="$missing $browser_package"
    fi
    for package in $font_packages $tool_packages; do
        is_installed "$package" || missing="$missing $package"
    done
    # A bare Debian has no curl, and the line that we print for the first key is made of it; nothing else needs it.
    if is_root && ! command -v curl >/dev/null; then missing="$missing curl"; fi
    missing=$(printf '%s' "$missing" | sed 's/^ *//')
    [ -n "$missing" ] || return 0

    if is_root; then
        sudo=
    elif command -v sudo >/dev/null; then
        sudo=sudo
    else
        die "packages are missing and there is no sudo here. As root, run:
    apt-get update && apt-get install --yes --no-install-recommends $missing
or set INSTALL_SKIP_PACKAGES=1 to go on without them."
    fi
    say "Installing with apt: $missing"
    quietly $sudo apt-get update || say "apt-get update failed; going on with the package lists that are here."
    case " $missing " in
    *" $browser_package "*)
        apt_knows "$browser_package" || missing=$(printf '%s' "$missing" | sed "s/$browser_package/chromium/") ;;
    esac
    # shellcheck disable=SC2086 # a list of package names
    quietly $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing || die "apt-get could not install: $missing"
}

# Tells Chromium to take emoji from the colour font; see the file itself.
lay_font_settings() {
    [ -d /etc/fonts/conf.d ] || return 0
    cmp -s "$here/systemd/fonts-emoji.conf" "$emoji_file" && return 0
    if is_root; then
        install -m 0644 "$here/systemd/fonts-emoji.conf" "$emoji_file"
    else
        say "Pages set in DejaVu Sans will have black emoji, until root runs:" \
            "install -m 0644 '$here/systemd/fonts-emoji.conf' $emoji_file"
    fi
}

# Lets the browser build its sandbox where AppArmor would keep it from that; see the file itself.
lay_browser_profile() {
    [ -e "$userns_switch" ] && command -v apparmor_parser >/dev/null || return 0
    if ! is_root; then
        cmp -s "$here/systemd/apparmor.profile" "$apparmor_file" ||
            say "If the browser cannot build its sandbox, root has to run:" \
                "install -m 0644 '$here/systemd/apparmor.profile' $apparmor_file && apparmor_parser -r $apparmor_file"
        return 0
    fi
    install -D -m 0644 "$here/systemd/apparmor.profile" "$apparmor_file"
    quietly apparmor_parser -r "$apparmor_file" ||
        say "AppArmor did not take $apparmor_file; if the browser cannot build its sandbox, see docs/install.md."
}

# Lets bash complete the command. Other shells: docs/install.md.
lay_completion() {
    if "$venv/bin/allscreenshots-box" completion bash >"$scratch/completion" 2>/dev/null; then
        install -D -m 0644 "$scratch/completion" "$completion_file"
    else
        say "There is no completion for bash: allscreenshots-box completion bash says why."
    fi
}

# Brings the database up to date while no server has it open; the command says what it changed and where the copy is.
change_database() {
    [ -e "$data_dir/box.db" ] || return 0
    "$command_link" plans list >/dev/null ||
        die "Installed, but the database could not be changed for this version: see above. Then run this again."
}

# --- the interpreter ------------------------------------------------------------------------------------------

# Prints "EXECUTABLE BASE_PREFIX VERSION" of an interpreter that the server can run and build an environment with.
# Outside of any environment: one that is active here may be the very one that we are about to rebuild.
describe_python() {
    as_server "$1" -I -c '
import sys, venv, ensurepip
if sys.version_info >= (3, 11):
    print(getattr(sys, "_base_executable", sys.executable), sys.base_prefix, "%d.%d" % sys.version_info[:2])
' 2>/dev/null || :
}

# Sets python and python_identity; fails if nothing fits.
find_python() {
    passed_over=
    for candidate in ${INSTALL_PYTHON:-python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11}; do
        path=$(command -v "$candidate") || continue
        described=$(describe_python "$path")
        if [ -n "$described" ]; then
            python=${described%% *}
            python_identity=${described#* }
            return 0
        fi
        passed_over="$passed_over${passed_over:+, }$path"
    done
    return 1
}

need_python() {
    if find_python; then
        install_packages
    else
        [ -z "${INSTALL_PYTHON:-}" ] || die "INSTALL_PYTHON=$INSTALL_PYTHON does not fit: it must be Python 3.11 or" \
            "newer with its venv and ensurepip modules, and $(server_name) must be able to run it."
        # shellcheck disable=SC2086 # a list of package names
        install_packages $python_packages
        find_python || die "there is no Python 3.11 or newer that $(server_name) can run, with its venv and ensurepip" \
            "modules${passed_over:+ (tried $passed_over)}. On Debian 12 or newer: apt-get install $python_packages"
    fi
    say "Python: $python (${python_identity##* })${passed_over:+; passed over, as not for $(server_name), which is no problem: $passed_over}."
}

server_name() {
    if is_root; then
        printf 'user %s' "$box_user"
    else
        id -un
    fi
}

# --- the environment ------------------------------------------------------------------------------------------

server_can_read_checkout() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_server sh -c '
        cd "$1" && [ -r pyproject.toml ] && [ -r allscreenshots_box/__init__.py ] &&
        [ -z "$(find allscreenshots_box -name __pycache__ -prune -o \
            \( ! -readable -o -type d ! -executable \) -print -quit)" ]
    ' sh "$here" 2>/dev/null
}

# Sets venv and editable for this checkout.
choose_venv() {
    if server_can_read_checkout; then
        venv=$here/.venv
        editable=yes
    else
        venv=/opt/allscreenshots-box-checkout-$(printf '%s' "$here" | sha256sum | cut -c 1-10)
        editable=
    fi
}

# Whether the environment is there, works for the server, and stands on the interpreter that we chose.
venv_fits() {
    [ -x "$venv/bin/python" ] || return 1
    described=$(as_server "$venv/bin/python" -I -c '
import sys, pip
print(sys.base_prefix, "%d.%d" % sys.version_info[:2])
' 2>/dev/null) || return 1
    [ "$described" = "$python_identity" ]
}

# A number that changes when pip has work to do. Edits to an editable install's sources are none.
fingerprint() {
    {
        cd "$here"
        if [ -n "$editable" ]; then
            printf 'editable %s\n' "$here"
            sha256sum pyproject.toml allscreenshots_box/__init__.py
        else
            find pyproject.toml README.md allscreenshots_box -type f ! -path '*/__pycache__/*' -exec sha256sum {} + |
                LC_ALL=C sort
        fi
    } | sha256sum | cut -c 1-64
}

# Builds $venv where it does not fit, and installs the package into it, with the test extra for "test".
fill_venv() {
    extra=${1:-}
    stamp=$venv/.installed
    if ! venv_fits; then
        if [ -e "$venv" ]; then
            [ -w "$venv" ] || die "$venv belongs to somebody else; remove it and run this again."
            say "Rebuilding $venv: it does not stand on $python."
            rm -rf "$venv"
        fi
        "$python" -m venv "$venv" || die "could not make the environment $venv"
    fi
    print=$(fingerprint)
    # Set up for tests is set up for serving too.
    if [ "$(cat "$stamp-test" 2>/dev/null)" = "$print" ]; then return 0; fi
    if [ -z "$extra" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$print" ]; then return 0; fi
    [ -w "$venv" ] || die "$venv belongs to somebody else; remove it and run this again."

    rm -f "$stamp" "$stamp-test"
    say "Installing Python packages into $venv ..."
    if [ -n "$editable" ]; then
        set -- --editable "$here${extra:+[$extra]}"
    else
        # Built from a copy, so that the build leaves nothing of root's in the checkout.
        mkdir "$scratch/source"
        (cd "$here" && tar --exclude=./.git --exclude=./.venv --exclude='.*_cache' --exclude=__pycache__ -cf - .) |
            (cd "$scratch/source" && tar -xf -)
        set -- "$scratch/source${extra:+[$extra]}"
    fi
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        "$venv/bin/python" -I -m pip install -qq --no-input "$@" || die "pip could not install the package"
    printf '%s\n' "$print" >"$stamp"
    [ -z "$extra" ] || printf '%s\n' "$print" >"$stamp-test"
}

set_up_checkout() {
    make_user
    need_python
    choose_venv
    if [ -n "$editable" ]; then
        say "Environment: $venv."
    else
        say "Environment: $venv, because $(server_name) cannot read all of $here."
    fi
    fill_venv "$@"
    lay_font_settings
    lay_browser_profile
}

# --- the modes ------------------------------------------------------------------------------------------------

# Gives the serve arguments that matter to a first key to every command, by way of the environment.
export_serve_settings() {
    while [ $# -gt 0 ]; do
        case $1 in
        --data-dir | --host | --port | --config | --allow)
            [ $# -gt 1 ] || return 0 # serve itself will complain
            flag=$1 value=$2
            shift
            ;;
        --data-dir=* | --host=* | --port=* | --config=* | --allow=*) flag=${1%%=*} value=${1#*=} ;;
        --help | -h)
            wants_key=
            flag=
            ;;
        *) flag= ;;
        esac
        case $flag in
        --data-dir) export ALLSCREENSHOTS_BOX_DATA_DIR="$value" ;;
        --host) export ALLSCREENSHOTS_BOX_HOST="$value" ;;
        --port) export ALLSCREENSHOTS_BOX_PORT="$value" ;;
        --config) export ALLSCREENSHOTS_BOX_CONFIG="$value" ;;
        --allow)
            case $value in
            *[!A-Za-z0-9.:-]*) ;; # more than one HOST:PORT
            *:[0-9]*) target=http://$value/ ;;
            esac
            ;;
        esac
        shift
    done
}

# Runs a line or more of Python that knows the settings.
in_settings() {
    "$venv/bin/python" -P -c "
from allscreenshots_box.config import load
settings = load({}).settings
$1"
}

# Before a first key is made: a key of a box that then cannot start would only mislead.
refuse_taken_port() {
    in_settings '
import sys
from allscreenshots_box.errors import OperatorError
from allscreenshots_box.listener import bind
try:
    bind(settings.host, settings.port).close()
except OperatorError as error:
    sys.exit(f"install.sh: {error} No key was made.")
' || exit 1
}

# Prints the address that a client on this machine uses.
base_url() {
    in_settings '
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
scheme = "https" if getattr(settings, "tls_cert", None) else "http"
print(f"{scheme}://" + (f"[{host}]" if ":" in host else host) + f":{settings.port}")
'
}

# The secret stays in this shell: printf is a builtin, so it is never an argument that other users can see.
make_first_key() {
    box=$venv/bin/allscreenshots-box
    database=$(in_settings 'print(settings.database_path)') || die "could not read the settings"
    keys=[]
    if [ -e "$database" ]; then keys=$("$box" keys list --json) || die "could not read the keys"; fi
    if [ "$(printf '%s' "$keys" | tr -d '[:space:]')" != "[]" ]; then
        say "There are keys already. To make another:" \
            "$box${ALLSCREENSHOTS_BOX_DATA_DIR:+ --data-dir \"$ALLSCREENSHOTS_BOX_DATA_DIR\"} keys create NAME"
        return 0
    fi
    url=$(base_url) || die "could not read the settings"
    refuse_taken_port
    secret=$("$box" keys create first) || die "could not make a first key"
    printf '\nThis is your first API key. It is shown this once:\n\n    %s\n\nWhen the server is up, try:\n\n' "$secret"
    printf 'curl -X POST "%s/v1/screenshots" \\\n' "$url"
    printf '    -H "X-API-Key: %s" \\\n' "$secret"
    printf '    -H "Content-Type: application/json" \\\n'
    printf '    -d '\''{"url": "%s"}'\'' \\\n' "$target"
    printf '    --output screenshot.png\n\n'
    unset secret
}

serve() {
    set_up_checkout
    wants_key=yes
    target=https://example.com
    export_serve_settings "$@"
    [ -z "$wants_key" ] || make_first_key
    clean_up
    umask "$callers_umask"
    exec "$venv/bin/allscreenshots-box" serve "$@"
}

run_tests() {
    set_up_checkout test
    clean_up
    umask "$callers_umask"
    cd "$here"
    # The servers that the tests start must import what is installed, not the checkout that they cannot read.
    [ -n "$editable" ] || export PYTHONSAFEPATH=1
    # All of them: two files at a time, because half of their time is waiting, and as tests/conftest.py orders them.
    [ "$#" -gt 0 ] || set -- --numprocesses 2 --dist loadfile --no-loadscope-reorder
    exec "$venv/bin/python" -m pytest "$@"
}

install_service() {
    is_root || die "installing the service takes root: sudo ./install.sh (for a try without: ./install.sh --serve)"
    if [ -e "$command_link" ] && [ ! -L "$command_link" ]; then
        die "$command_link is in the way: it is not a link of ours."
    fi
    make_user
    need_python
    install -d -m 0755 "$prefix"
    venv=$prefix/venv
    editable=
    fill_venv

    rm -rf "$prefix/docs"
    if [ -d "$here/docs" ]; then
        cp -R "$here/docs" "$prefix/docs"
        chmod -R u=rwX,go=rX "$prefix/docs"
    fi
    install -m 0755 "$here/uninstall.sh" "$prefix/uninstall.sh"
    install -d /usr/local/bin
    ln -sfn "$venv/bin/allscreenshots-box" "$command_link"
    lay_font_settings
    lay_browser_profile
    lay_completion

    install -d -m 0700 -o "$box_user" -g "$box_user" "$data_dir"
    # The folder is open and the file is not, so that another user's command finds "not for you", and uses the defaults.
    install -d -m 0755 "${config_file%/*}"
    [ -e "$config_file" ] || install -m 0640 -o root -g "$box_user" "$here/systemd/config.toml" "$config_file"
    install -D -m 0644 "$here/systemd/allscreenshots-box.service" "$unit_file"

    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl enable --quiet allscreenshots-box
        systemctl stop allscreenshots-box # running shots finish first
        change_database
        # It comes back when the box serves, or cannot.
        systemctl start allscreenshots-box ||
            die "Installed and enabled, but it does not start: journalctl -u allscreenshots-box -n 20 says why."
        say "Installed, enabled and started: systemctl status allscreenshots-box"
    else
        change_database
        say "Installed. systemd does not run this machine, so start it by hand, as root (it becomes $box_user by itself):"
        say "    $command_link serve"
    fi
    say "Make the first key, as root:"
    say "    allscreenshots-box keys create NAME"
    say "Settings: $config_file. To remove it all: $prefix/uninstall.sh"
}

clean_up() { rm -rf "$scratch"; }

mode=${1:-}
case $mode in
--serve | --test) shift ;;
--help | -h)
    usage
    exit 0
    ;;
--print-venv | "")
    if [ $# -gt 1 ]; then
        usage >&2
        exit 2
    fi
    ;;
*)
    say "install.sh: unknown option: $mode"
    usage >&2
    exit 2
    ;;
esac

callers_umask=$(umask)
umask 022 # what we lay must be readable to the server's user, whatever root's habit is
scratch=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case $mode in
--serve) serve "$@" ;;
--test) run_tests "$@" ;;
--print-venv)
    choose_venv
    printf '%s\n' "$venv"
    ;;
"") install_service ;;
esac
