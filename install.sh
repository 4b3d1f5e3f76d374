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
browser_commands="chromium-headless-shell chrome-headless-shell headless_shell chromium google-chrome" # as the box looks
tool_packages=libnss3-tools # tells the browser of the authorities in ca_dir
font_packages="fonts-liberation fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
python_packages="python3 python3-venv"
test_packages="iproute2 openssl curl libatomic1" # networks and certificates of the tests' own, the examples, and Node for them
serving_room=400 # MiB that a new environment takes while it is made
testing_room=1000
only_for_building="pip setuptools faker" # faker: data for tests, which a dependency brings and the box never imports

usage() {
    cat <<'EOF'
Usage: sudo ./install.sh                   install as a service under /opt/allscreenshots-box, or upgrade it
       ./install.sh --serve [ARGS...]      set up this checkout, make a first key, serve in the foreground
       ./install.sh --test [ARGS...]       set up this checkout, run the tests (ARGS go to pytest)
       ./install.sh --print-venv           say where this checkout's environment is, or would be
       ./install.sh --help

Environment: INSTALL_PYTHON=PYTHON     the interpreter to use, 3.11 or newer
             INSTALL_SKIP_PACKAGES=1   do not install the browser and the fonts with apt
             ALLSCREENSHOTS_BOX_...    settings of --serve: ..._BROWSER names the browser
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
        tail -n 15 "$scratch/log" >&2
        return 1
    fi
}

# Be the only installer at work on a folder, however many were started; it ends with us and with what we started.
take_turn() {
    command -v flock >/dev/null || return 0
    exec 9<"$1"
    flock -n 9 || die "another install.sh is at work on $1: wait for its end, then run this again."
}

end_turn() { exec 9<&-; }

need_room() {
    # shellcheck disable=SC2046 # a line of words
    set -- "$1" "$2" $(df -Pm "$1" | tail -n 1)
    [ "$6" -ge "$2" ] || die "$6 MiB are free in $1, and $2 are needed: make room, then run this again."
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

# Ubuntu's packages of that kind bring a program that the box cannot drive.
is_snap() { apt-cache depends "$1" 2>/dev/null | grep -q 'Depends: snapd$'; }

# Sets sudo to what makes a command root's, or dies with what root has to run.
need_root_for_apt() {
    sudo=
    ! is_root || return 0
    sudo=sudo
    if ! command -v sudo >/dev/null; then
        why="there is no sudo here"
    elif (: </dev/tty) 2>/dev/null; then
        ! sudo env true || return 0
        why="sudo does not let $(id -un) install them"
    else
        ! sudo -n env true 2>/dev/null || return 0
        why="sudo does not let $(id -un) install them without a terminal to ask on"
    fi
    # What apt does not have, nobody is told to install; before its first update it knows nothing.
    unreachable=
    ! apt_knows python3 || choose_browser_package
    die "packages are missing, and $why. As root, run:
    apt-get update && apt-get install --yes --no-install-recommends $missing
then run this again; or set INSTALL_SKIP_PACKAGES=1 to go on without them."
}

# Installs what is missing of the browser, the fonts and the packages named in "$@".
install_packages() {
    [ "${INSTALL_SKIP_PACKAGES:-}" != 1 ] || return 0
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "No apt here: see to it that there are Chromium ($browser_package or chromium) and fonts ($font_packages)."
        return 0
    fi
    missing=
    for package in "$@" $font_packages $tool_packages; do
        is_installed "$package" || missing="$missing $package"
    done
    # A host whose apt has no headless shell keeps its plain Chromium, or whatever else was named.
    if ! is_installed "$browser_package" && { ! has_browser || apt_knows "$browser_package"; }; then
        missing="$missing $browser_package"
    fi
    # The line that we print for the first key is made of it; nothing else needs it, and nobody is asked for it alone.
    case "$missing " in
    *" curl "*) ;;
    *) command -v curl >/dev/null || { ! is_root && [ -z "$missing" ]; } || missing="$missing curl" ;;
    esac
    missing=${missing# }
    [ -n "$missing" ] || return 0

    need_root_for_apt
    say "Installing with apt: $missing"
    unreachable=
    quietly $sudo apt-get -o APT::Update::Error-Mode=any update || unreachable=yes
    choose_browser_package
    [ -n "$missing" ] || return 0
    case " $missing " in
    *" $browser_package "* | *" chromium "*) ;;
    *) has_browser || die_without_browser "There is no browser here, and apt has none$(! is_snap chromium-browser || printf ' but as a snap')." ;;
    esac
    # shellcheck disable=SC2086 # a list of package names
    quietly $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=300 $missing && return 0
    [ -z "$unreachable" ] || die "apt cannot reach its mirrors: mend the network, or what /etc/apt names, and run this again." \
        "It was to install: $missing"
    die "apt-get could not install what is missing; its words are above. It was to install: $missing"
}

# Puts into missing the browser that apt has: the headless shell, else Chromium, else none.
choose_browser_package() {
    case " $missing " in
    *" $browser_package "*) ;;
    *) return 0 ;;
    esac
    if apt_knows "$browser_package"; then return 0; fi
    substitute=
    if apt_knows chromium; then
        is_snap chromium || substitute=chromium
    elif [ -n "$unreachable" ]; then
        return 0 # who is to be blamed is apt
    fi
    missing=$(printf '%s' "$missing" | sed "s/ *$browser_package/${substitute:+ $substitute}/; s/^ //")
}

# Whether there is anything that may be a browser. Whether it works, only its start can tell.
has_browser() {
    [ -z "${ALLSCREENSHOTS_BOX_BROWSER:-}" ] || return 0
    grep -qs '^ *browser *=' "${ALLSCREENSHOTS_BOX_CONFIG:-$config_file}" && return 0
    for command in $browser_commands; do
        ! command -v "$command" >/dev/null || return 0
    done
    return 1
}

die_without_browser() {
    say "$1 What helps, any of:"
    say "  - Debian 12 or newer: its apt has $browser_package, and this installs it"
    say "  - Google Chrome, or any Chromium from version 120 on that is no snap; if it is not on PATH, name it:"
    say "    ALLSCREENSHOTS_BOX_BROWSER=/PATH ./install.sh --serve; for the service, browser = \"/PATH\" in $config_file"
    say "  - Playwright's own download, where the network allows it, named in the same way:"
    say "    PLAYWRIGHT_BROWSERS_PATH=/opt/playwright npx playwright install --with-deps --only-shell chromium"
    die "no browser, no box: 'The browser' in docs/install.md says more. ${2:-}Then run this again."
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

# With all packages that the mode takes: "$@" are those beside the browser's.
need_python() {
    if find_python; then
        install_packages "$@"
    else
        [ -z "${INSTALL_PYTHON:-}" ] || die "INSTALL_PYTHON=$INSTALL_PYTHON does not fit: it must be Python 3.11 or" \
            "newer with its venv and ensurepip modules, and $(server_name) must be able to run it."
        # shellcheck disable=SC2086 # a list of package names
        install_packages $python_packages "$@"
        find_python || die "there is no Python 3.11 or newer that $(server_name) can run, with its venv and ensurepip" \
            "modules${passed_over:+ (tried $passed_over)}. On Debian 12 or newer: apt-get install $python_packages"
    fi
    has_browser || die_without_browser "There is no browser here."
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
# $venv is a link to one of the folders $venv-XXXXXX. A new one is made beside it; the link turns when it works.

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

# Prints the commit that this source is of, if it tells.
commit_of_source() {
    "$python" -I -c 'import runpy, sys
print(runpy.run_path(sys.argv[1])["of_source"](sys.argv[2]) or "")' "$here/allscreenshots_box/commit.py" "$here"
}

# A number that changes when pip has work to do. Edits to an editable install's sources are none.
fingerprint() {
    {
        cd "$here"
        printf '%s\n' "$python_identity"
        if [ -n "$editable" ]; then
            printf 'editable %s\n' "$here"
            sha256sum pyproject.toml allscreenshots_box/__init__.py
        else
            commit_of_source
            find pyproject.toml README.md allscreenshots_box -type f ! -path '*/__pycache__/*' -exec sha256sum {} + |
                LC_ALL=C sort
        fi
        sed -n '/^lay_command()/,/^}/p' install.sh
    } | sha256sum | cut -c 1-64
}

# Whether a folder holds an environment that was finished, is of this source, and works for the server.
# Set up for tests is set up for serving too.
environment_fits() {
    case $(cat "$1/.installed" 2>/dev/null) in
    "$print test") ;;
    "$print serve") [ -z "$extra" ] || return 1 ;;
    *) return 1 ;;
    esac
    described=$(as_server "$1/bin/python" -I -c '
import sys, allscreenshots_box, litestar
print(sys.base_prefix, "%d.%d" % sys.version_info[:2])
' 2>/dev/null) && [ "$described" = "$python_identity" ]
}

# Whether a program of that environment runs. grep reads the pattern from a file, or it would find itself.
in_use() {
    printf '%s/bin/' "$1" >"$scratch/pattern"
    grep -qsFf "$scratch/pattern" /proc/[0-9]*/cmdline
}

# Removes the environments that nobody needs any more: neither the link, nor we, nor a running program.
sweep() {
    for old in "$venv"-*; do
        [ -d "$old" ] && [ "$old" != "$fresh" ] && [ "$old" != "$(readlink -f "$venv")" ] || continue
        in_use "$old" || rm -rf "$old" 2>/dev/null || say "$old is of no use any more, and could not be removed."
    done
}

# Sets fresh to an environment of this source, with the extra that was asked for; makes one where none fits.
make_environment() {
    print=$(fingerprint)
    for fresh in "$(readlink -f "$venv")" "$venv"-*; do
        ! environment_fits "$fresh" || return 0
    done
    fresh=
    sweep
    [ -w "${venv%/*}" ] || die "$(id -un) may not write in ${venv%/*}: copy the folder to a place of your own, or be root."
    if [ -n "$extra" ]; then need_room "${venv%/*}" "$testing_room"; else need_room "${venv%/*}" "$serving_room"; fi

    unfinished=$(mktemp -d "$venv-XXXXXX") || die "no folder could be made in ${venv%/*}: see above."
    chmod 755 "$unfinished"
    say "Installing Python packages into $unfinished: a minute, or more where the network is slow ..."
    quietly "$python" -m venv "$unfinished" || die_of_pip "the environment $unfinished could not be made"
    if [ -n "$editable" ]; then
        set -- --editable "$here${extra:+[$extra]}"
    else
        # Built from a copy, so that the build leaves nothing of root's in the checkout.
        mkdir "$scratch/source"
        (cd "$here" && tar --exclude='./.git' --exclude='./.venv*' --exclude='.*_cache' --exclude=__pycache__ -cf - .) |
            (cd "$scratch/source" && tar -xf -) || die "the source could not be copied to $scratch; see above."
        set -- "$scratch/source${extra:+[$extra]}"
    fi
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
        quietly "$unfinished/bin/python" -I -m pip install -qq --no-input "$@" || die_of_pip "pip could not install the packages"
    if [ -z "$extra" ]; then
        # shellcheck disable=SC2086 # a list of package names
        quietly "$unfinished/bin/python" -I -m pip uninstall -qq --yes $only_for_building ||
            die_of_pip "what only the installation needs could not be removed"
    fi
    finish_environment || die_of_pip "$unfinished could not be finished"
    environment_fits "$unfinished" || die "$(server_name) cannot run what was installed into $unfinished."
    fresh=$unfinished
    unfinished=
}

finish_environment() {
    lay_command "$unfinished" || return 1
    [ -n "$editable" ] || commit_of_source >"$unfinished/commit" || return 1
    printf '%s %s\n' "$print" "${extra:-serve}" >"$unfinished/.installed"
}

# Says in a sentence why the environment could not be made, as far as the words in the log tell.
die_of_pip() {
    kept=
    [ ! -e "$venv" ] || kept=" What was installed before is as it was."
    if grep -qiE 'no space left|disk quota' "$scratch/log" || [ "$(df -Pk "${venv%/*}" | awk 'END {print $4}')" -lt 1024 ]; then
        die "$1, since a disk is full: make room in ${venv%/*} and ${TMPDIR:-/tmp}, then run this again.$kept"
    fi
    if grep -qE 'onnection|etwork|resol|imed out|HTTP|No matching distribution|HASHES|BadZip|IncompleteRead' "$scratch/log"; then
        die "$1: the registry does not answer, or not with all. Mend the network, or what PIP_INDEX_URL names, then run" \
            "this again.$kept"
    fi
    die "$1; see above.$kept"
}

# Lays the command over pip's: it says what to do where its Python has changed below it. Two languages in one file.
lay_command() {
    cat >"$1/bin/allscreenshots-box" <<'EOF' # which is executable, and stays so
#!/bin/sh
''':'
# To here sh and Python agree; sh reads on, and Python only after the next three quotes.
python=$(PATH=/usr/bin:/bin && dirname "$(readlink -f "$0")")/python
[ ! -x "$python" ] || exec "$python" "$0" "$@"
echo "allscreenshots-box: the Python that it was installed with is gone, as after an upgrade of the distribution." \
    "Run its installer again, in the folder of its source: sudo ./install.sh (a try: ./install.sh --serve)." \
    "Keys and data stay as they are." >&2
exit 1
'''
import sys

try:
    from allscreenshots_box.cli import main
except ImportError as error:
    sys.exit(
        f"allscreenshots-box: {error}. The Python that it was installed with has changed, as after an upgrade of the "
        "distribution. Run its installer again, in the folder of its source: sudo ./install.sh (a try: ./install.sh "
        "--serve). Keys and data stay as they are."
    )
sys.exit(main())
EOF
}

# Lets the link lead to a folder, from one moment to the next.
turn_to() {
    [ "$(readlink "$venv")" != "${1##*/}" ] || return 0 # and need not be ours to write
    if [ -d "$venv" ] && [ ! -L "$venv" ]; then # an older installer's
        ! in_use "$venv" || die "a program runs from $venv: stop it, then run this again."
        mv -T "$venv" "$venv-before"
    fi
    ln -sfn "${1##*/}" "$venv.new"
    mv -fT "$venv.new" "$venv"
}

# "$@" are packages that the browser does not need.
set_up_checkout() {
    make_user
    take_turn "$here"
    need_python "$@"
    choose_venv
    make_environment
    turn_to "$fresh"
    sweep
    end_turn
    if [ -n "$editable" ]; then
        # The server becomes another user before it reads most of this, and could not keep what it compiles.
        "$venv/bin/python" -I -m compileall -qq "$here/allscreenshots_box" 2>/dev/null || true
        say "Environment: $venv."
    else
        say "Environment: $venv, because $(server_name) cannot read all of $here."
    fi
    lay_font_settings
    lay_browser_profile
}

# --- a try ----------------------------------------------------------------------------------------------------

# Gives the serve arguments that matter to a first key to every command, by way of the environment.
export_serve_settings() {
    while [ $# -gt 0 ]; do
        case $1 in
        --data-dir | --host | --port | --config | --browser | --allow)
            [ $# -gt 1 ] || return 0 # serve itself will complain
            flag=$1 value=$2
            shift
            ;;
        --data-dir=* | --host=* | --port=* | --config=* | --browser=* | --allow=*) flag=${1%%=*} value=${1#*=} ;;
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
        --browser) export ALLSCREENSHOTS_BOX_BROWSER="$value" ;;
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

# Prints the process that serves the service's data, if one does: the kernel's list of locks tells.
server_of_data() {
    inode=$(stat -c %i "$data_dir/serve.lock" 2>/dev/null) || return 0
    sed -n "s/.* FLOCK .* \([0-9]*\) [0-9a-f]*:[0-9a-f]*:$inode .*/\1/p" /proc/locks | head -n 1
}

# What would end the start anyway is said before a minute of setting up, as far as it can be known by then.
refuse_first() {
    [ -z "${ALLSCREENSHOTS_BOX_CONFIG:-}" ] || return 0
    if [ "${ALLSCREENSHOTS_BOX_DATA_DIR:-$data_dir}" = "$data_dir" ] && [ -d "$data_dir" ]; then
        elsewhere="Give this one a place and a port of its own: ./install.sh --serve --data-dir DIR --port 8081"
        [ -w "$data_dir" ] || die "a box is installed here, and its data in $data_dir are not $(id -un)'s. $elsewhere"
        running=$(server_of_data)
        [ -z "$running" ] || die "a box serves the data in $data_dir already (process $running). $elsewhere"
    fi
    [ ! -r "$config_file" ] && command -v python3 >/dev/null || return 0
    python3 -I -c '
import errno, socket, sys
host, port = sys.argv[1:]
try:
    socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
except OSError as error:
    sys.exit(error.errno == errno.EADDRINUSE)
except ValueError:
    pass
' "${ALLSCREENSHOTS_BOX_HOST:-127.0.0.1}" "${ALLSCREENSHOTS_BOX_PORT:-8080}" 2>/dev/null ||
        die "port ${ALLSCREENSHOTS_BOX_PORT:-8080} is taken: choose another with --port; ss -ltnp shows who has it."
}

# Runs a line or more of Python that knows the settings.
in_settings() {
    "$venv/bin/python" -P -c "
from allscreenshots_box.config import load
settings = load({}).settings
$1"
}

# Prints the address that a client on this machine uses.
base_url() {
    in_settings '
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
scheme = "https" if getattr(settings, "tls_cert", None) else "http"
print(f"{scheme}://" + (f"[{host}]" if ":" in host else host) + f":{settings.port}")
'
}

# How the command is typed for the data that we serve.
typed() { printf '%s' "$venv/bin/allscreenshots-box${ALLSCREENSHOTS_BOX_DATA_DIR:+ --data-dir \"$ALLSCREENSHOTS_BOX_DATA_DIR\"} $1"; }

has_keys() {
    database=$(in_settings 'print(settings.database_path)') || die "could not read the settings; see above."
    [ -e "$database" ] || return 1
    keys=$("$venv/bin/allscreenshots-box" keys list --json) || die "could not read the keys; see above."
    [ "$(printf '%s' "$keys" | tr -d '[:space:]')" != "[]" ]
}

# Waits for the server that this shell has become; fails if it ends before it serves.
await_server() {
    in_settings "
import os, sys, time
from allscreenshots_box.doctor.service import health
end = time.monotonic() + 120
while health(settings).get('status') != 'ok':
    try:
        os.kill($$, 0)
    except ProcessLookupError:
        sys.exit(1)
    if time.monotonic() > end:
        sys.exit('It does not answer.')
    time.sleep(0.2)
"
}

# The secret stays in this shell: printf is a builtin, so it is never an argument that other users can see.
make_first_key() {
    url=$(base_url) || die "could not read the settings; see above."
    secret=$("$venv/bin/allscreenshots-box" keys create first) || die "no key was made; see above. Then: $(typed 'keys create NAME')"
    printf '\nIt serves. This is its first API key, shown this once:\n\n    %s\n\nTry:\n\n' "$secret"
    printf 'curl -X POST "%s/v1/screenshots" \\\n' "$url"
    printf '    -H "X-API-Key: %s" \\\n' "$secret"
    printf '    -H "Content-Type: application/json" \\\n'
    printf '    -d '\''{"url": "%s"}'\'' \\\n' "$target"
    printf '    --output screenshot.png\n\n'
    unset secret
    command -v curl >/dev/null || printf 'There is no curl here: apt-get install curl, as root.\n'
    printf 'Another key, in a second terminal: %s\nStop: Ctrl-C\n\n' "$(typed 'keys create NAME')"
}

# Says how it goes on with the keys that there are.
say_again() {
    printf '\nIt serves, with the keys that there are. Another one: %s\nStop: Ctrl-C\n\n' "$(typed 'keys create NAME')"
}

serve() {
    wants_key=yes
    target=https://example.com
    export_serve_settings "$@"
    [ -z "$wants_key" ] || refuse_first
    extra=
    set_up_checkout
    if [ -n "$wants_key" ]; then
        if has_keys; then
            then=say_again
        else
            then=make_first_key
        fi
        # A grandchild, whose end is no business of the server's.
        ( (trap '' INT && await_server && "$then") & )
    fi
    clean_up
    umask "$callers_umask"
    exec "$venv/bin/allscreenshots-box" serve "$@"
}

# --- the tests ------------------------------------------------------------------------------------------------

run_tests() {
    extra="test"
    [ "$#" -gt 0 ] || say "All tests take a quarter of an hour on two cores that do nothing else, once they are set up, and" \
        "their packages 700 MiB. Some of them: ./install.sh --test tests/test_api.py"
    # shellcheck disable=SC2086 # a list of package names
    set_up_checkout $test_packages
    if is_root && [ ! -e /etc/hosts ]; then # as in a root that was only bootstrapped
        printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
        say "Made /etc/hosts, where the tests look localhost up."
    fi
    clean_up
    umask "$callers_umask"
    cd "$here"
    # The servers that the tests start must import what is installed, not the checkout that they cannot read.
    [ -n "$editable" ] || export PYTHONSAFEPATH=1
    # All of them: two files at a time, because half of their time is waiting, and as tests/conftest.py orders them.
    [ "$#" -gt 0 ] || set -- --numprocesses 2 --dist loadfile --no-loadscope-reorder
    exec "$venv/bin/python" -m pytest "$@"
}

# --- the service ----------------------------------------------------------------------------------------------

has_systemd() { [ -d /run/systemd/system ]; }

refuse_foreign_server() {
    running=$(server_of_data)
    [ -n "$running" ] || return 0
    if has_systemd && [ "$(systemctl show --property=MainPID --value allscreenshots-box)" = "$running" ]; then return 0; fi
    die "a box that systemd does not know of serves $data_dir: stop it (kill $running), then run this again. Nothing was changed."
}

# What the check of a browser needs of the service, and the operator to mend it. Nothing of it changes one that runs.
lay_ground() {
    lay_font_settings
    lay_browser_profile
    install -d -m 0700 -o "$box_user" -g "$box_user" "$data_dir"
    # The folder is open and the file is not, so that another user's command finds "not for you", and uses the defaults.
    install -d -m 0755 "${config_file%/*}"
    [ -e "$config_file" ] || install -m 0640 -o root -g "$box_user" "$here/systemd/config.toml" "$config_file"
}

# Starts the browser as the service would, and has its sandbox proven; the operator may have said that it is off.
prove_browser() {
    say "Starting the browser in its sandbox ..."
    checks="browser sandbox"
    ! "$fresh/bin/python" -P -c 'import sys
from allscreenshots_box.config import load
sys.exit(not load({}).settings.dangerously_disable_sandbox)' 2>/dev/null || checks=browser
    # shellcheck disable=SC2086 # names of checks
    quietly "$fresh/bin/allscreenshots-box" doctor $checks ||
        die_without_browser "The browser does not start as it must." "${before:+What was installed before serves on. }"
}

lay_program() {
    rm -rf "$prefix/docs"
    if [ -d "$here/docs" ]; then
        cp -R "$here/docs" "$prefix/docs"
        chmod -R u=rwX,go=rX "$prefix/docs"
    fi
    install -m 0755 "$here/uninstall.sh" "$prefix/uninstall.sh"
    install -d /usr/local/bin
    ln -sfn "$venv/bin/allscreenshots-box" "$command_link"
    lay_completion
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
    copy=
    [ -e "$data_dir/box.db" ] || return 0
    "$venv/bin/allscreenshots-box" plans list >/dev/null 2>"$scratch/changed" || {
        cat "$scratch/changed" >&2
        return 1
    }
    cat "$scratch/changed" >&2
    copy=$(sed -n 's/.*it is kept as it was: //p' "$scratch/changed")
}

# Turns to the new version. Where that does not come to serve, the one before does again.
change_over() {
    trap '' HUP INT TERM # what stops the service starts it, too
    [ ! -e "$unit_file" ] || cp "$unit_file" "$scratch/unit"
    if ! has_systemd; then
        refuse_foreign_server # that started meanwhile
    elif [ -e "$unit_file" ]; then
        say "Stopping the service: running shots finish first."
        systemctl stop allscreenshots-box
    fi
    turn_to "$fresh"
    install -D -m 0644 "$here/systemd/allscreenshots-box.service" "$unit_file"
    change_database || go_back "the database could not be changed for this version"
    has_systemd || return 0
    systemctl daemon-reload
    systemctl enable --quiet allscreenshots-box
    # It comes back when the box serves, or cannot.
    systemctl start allscreenshots-box || go_back "it does not start: journalctl -u allscreenshots-box -n 20 says why"
}

# Ends an upgrade that failed ("$1" says why) with the version before, as far as it can read the database.
go_back() {
    [ -n "$before" ] || die "Installed and enabled, but $1."
    ! has_systemd || systemctl stop allscreenshots-box || :
    [ "$before" != "$venv" ] || before=$venv-before
    turn_to "$before"
    [ ! -e "$scratch/unit" ] || install -m 0644 "$scratch/unit" "$unit_file"
    ! has_systemd || systemctl daemon-reload
    if [ -n "$copy" ]; then
        die "the new version is not in use: $1. The database was changed for it already, so the version before needs the" \
            "copy from before: allscreenshots-box restore $copy && systemctl start allscreenshots-box"
    fi
    if ! has_systemd || systemctl start allscreenshots-box; then
        die "the new version is not in use: $1. The version before is, as it was."
    fi
    die "the new version is not in use: $1. The version before does not start either."
}

install_service() {
    is_root || die "installing the service takes root: sudo ./install.sh (for a try without: ./install.sh --serve)"
    if [ -e "$command_link" ] && [ ! -L "$command_link" ]; then
        die "$command_link is in the way: it is not a link of ours."
    fi
    # The service has its file; what is set here would count for the checks below, and not for it.
    for name in $(env | sed -n 's/^\(ALLSCREENSHOTS_BOX_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
    refuse_foreign_server
    make_user
    install -d -m 0755 "$prefix"
    take_turn "$prefix"
    need_python
    venv=$prefix/venv
    editable=
    extra=
    before=
    [ ! -e "$venv" ] || before=$(readlink -f "$venv")
    make_environment
    lay_ground
    prove_browser
    change_over
    lay_program
    sweep

    if has_systemd; then
        say "Installed, enabled and started: systemctl status allscreenshots-box"
    else
        say "Installed. systemd does not run this machine, so start it by hand, as root (it becomes $box_user by itself):"
        say "    $command_link serve"
    fi
    if [ -e "$data_dir/box.db" ] && [ "$("$command_link" keys list --json | tr -d '[:space:]')" != "[]" ]; then
        say "Keys and settings are as they were."
    else
        say "Make the first key, as root:"
        say "    allscreenshots-box keys create NAME"
    fi
    say "Settings: $config_file. To remove it all: $prefix/uninstall.sh"
}

# --- what was asked for ---------------------------------------------------------------------------------------

clean_up() { rm -rf "$scratch" ${unfinished:+"$unfinished"}; }

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
unfinished=
scratch=$(mktemp -d) || die "there is no room in ${TMPDIR:-/tmp}: make some there, or name another folder in TMPDIR."
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
