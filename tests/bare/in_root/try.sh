# As root: the first command of the README, its curl line, another key; what must not break it; and the try is removed.
# shellcheck shell=sh disable=SC2154

cd /srv/box || exit 1
first_try() {
    ./install.sh --serve --port "$port" --allow "127.0.0.1:$page" >/root/served 2>&1 &
    server=$!
    await /root/served 'Stop: Ctrl-C' "$server" || { cat /root/served; return 1; }
}
printed_line() {
    sed -n '/^curl/,/--output/p' /root/served >/root/line.sh
    (cd /root && sh line.sh && is_picture screenshot.png)
}
printed_key() { sh -c "$(sed -n 's/^Another key, in a second terminal: //p' /root/served | sed 's/NAME/second/')"; }
second_try() {
    ./install.sh --serve --port "$port" >/root/again 2>&1 &
    again=$!
    await /root/again 'It serves, with the keys that there are' "$again" || { cat /root/again; return 1; }
    kill "$again" && wait "$again"
}
killed() {
    touch_source .
    ./install.sh --serve --port $((port + 8)) >/root/killed 2>&1 &
    victim=$!
    await /root/killed 'Installing Python' "$victim"
    sleep 2
    kill -9 "$victim"
    flock /srv/box true # what it had started ends by itself
    /srv/box/.venv/bin/allscreenshots-box version
}
two_at_once() {
    ./install.sh --test --version >/root/one 2>&1 &
    one=$!
    await /root/one 'Installing' "$one"
}

claim "serves, with a first key" first_try
show_page
claim "the printed line makes a picture" printed_line
claim "the printed command makes another key" printed_key
refusal "a second server is refused at once" "serves the data in" ./install.sh --serve --port $((port + 7))
claim "it stops" sh -c "kill $server; while kill -0 $server 2>/dev/null; do sleep 0.1; done"
claim "serves again, and says that there are keys" second_try
claim "a killed installer leaves what was there" killed
two_at_once
refusal "a second installer waits for nobody" "another install.sh is at work" ./install.sh --test --version
claim "the first one ends well" wait "$one"
touch_source .
refusal "a dead registry" "registry does not answer.*as it was" \
    env PIP_INDEX_URL=http://127.0.0.1:9/ PIP_RETRIES=0 PIP_NO_CACHE_DIR=1 ./install.sh --serve --port "$port"
claim "what was there works on" .venv/bin/allscreenshots-box version
mkdir -p /small && mount -t tmpfs -o size=150m tmpfs /small && mkdir /small/box && tar --exclude='./.venv*' -cf - . | tar -xf - -C /small/box
refusal "too little room" "MiB are free in /small/box, and [0-9]+ are needed" /small/box/install.sh --serve --port "$port"
sed -i 's/^serving_room=.*/serving_room=1/' /small/box/install.sh
refusal "a disk that fills in the middle" "disk is full" /small/box/install.sh --serve --port "$port"
claim "nothing is left of that" sh -c '! ls -d /small/box/.venv*'
claim "the README's lines remove the try" sh -c './uninstall.sh --purge --yes && cd / && rm -rf /srv/box && ! id allscreenshots'
