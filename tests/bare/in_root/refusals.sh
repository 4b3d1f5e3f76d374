# What cannot be done is said in a sentence, by a plain user who may not be root, and where no mirror answers.
# shellcheck shell=sh disable=SC2154

useradd --create-home --shell /bin/sh ada
cp -R /srv/box /home/ada/box
chown -R ada: /home/ada
as_ada() { runuser -u ada -- env HOME=/home/ada "$@"; }
serve_as_ada() { as_ada /home/ada/box/install.sh --serve --port "$port"; }
no_mirrors() {
    printf 'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n' >/etc/apt/apt.conf.d/99nowhere
}

umount /var/cache/apt/archives # what was downloaded for other roots
rm -rf /var/lib/apt/lists/*
no_mirrors
refusal "apt without lists and mirrors" "apt cannot reach its mirrors" /srv/box/install.sh --serve
rm /etc/apt/apt.conf.d/99nowhere
refusal "a user without sudo" "no sudo here. As root, run:" serve_as_ada
apt-get update >/dev/null 2>&1
no_mirrors
refusal "apt with lists and without mirrors" "apt cannot reach its mirrors" /srv/box/install.sh --serve
rm /etc/apt/apt.conf.d/99nowhere
apt-get install --yes --no-install-recommends sudo python3 >/dev/null 2>&1
refusal "a user whom sudo refuses, without a terminal" "without a terminal to ask on. As root, run:" serve_as_ada
refusal "a Python without venv, and no packages wanted" "there is no Python 3.11 or newer .* apt-get install" \
    env INSTALL_SKIP_PACKAGES=1 /srv/box/install.sh --serve --port "$port"
apt-get install --yes --no-install-recommends python3-venv >/dev/null 2>&1
refusal "no browser, and no packages wanted" "no browser, no box" \
    env INSTALL_SKIP_PACKAGES=1 /srv/box/install.sh --serve --port "$port"
refusal "the service without root" "takes root: sudo ./install.sh" as_ada /home/ada/box/install.sh
claim "no key was made" sh -c '! ls /var/lib/allscreenshots-box/box.db'
