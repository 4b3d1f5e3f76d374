# As a plain user with sudo, in a home that others cannot read.
# shellcheck shell=sh disable=SC2154

apt-get update >/dev/null 2>&1
apt-get install --yes --no-install-recommends sudo >/dev/null 2>&1
useradd --create-home --shell /bin/sh ada
echo 'ada ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ada
cp -R /srv/box /home/ada/box
chown -R ada: /home/ada
chmod 700 /home/ada

as_ada() { runuser -u ada -- env HOME=/home/ada "$@"; }
first_try() {
    # shellcheck disable=SC2016 # expanded by ada's shell
    as_ada sh -c 'cd ~/box && exec ./install.sh --serve --port "$1" --allow "127.0.0.1:$2"' sh "$port" "$page" \
        >/root/served 2>&1 &
    server=$!
    await /root/served 'Stop: Ctrl-C' "$server" || { cat /root/served; return 1; }
}
printed_line() {
    sed -n '/^curl/,/--output/p' /root/served >/home/ada/line.sh
    as_ada sh -c 'cd ~ && sh line.sh' && is_picture /home/ada/screenshot.png
}
printed_key() { as_ada sh -c "$(sed -n 's/^Another key, in a second terminal: //p' /root/served | sed 's/NAME/second/')"; }
install_as_ada() { as_ada sh -c 'cd ~/box && sudo ./install.sh'; }

claim "serves, with a first key" first_try
show_page
claim "the printed line makes a picture" printed_line
claim "the printed command makes another key" printed_key
kill "$server"
settings
claim "installs the service from a home that the service cannot read" install_as_ada
refusal "a try beside the service is refused at once" "data in .* are not ada's" \
    as_ada sh -c 'cd ~/box && ./install.sh --serve'
