# Where systemd does not run the machine: started by hand, not upgraded below its feet, and stopped before it is removed.
# shellcheck shell=sh disable=SC2154

settings
box=/usr/local/bin/allscreenshots-box
begin() {
    $box serve >/root/served 2>&1 &
    server=$!
    await /root/served "on http://127.0.0.1:$port" "$server" || { cat /root/served; return 1; }
}

claim "installed" /srv/box/install.sh
claim "serves" begin
show_page
claim "makes a key" sh -c "$box keys create NAME >/root/key"
claim "makes a picture" shoot "$(cat /root/key)"
refusal "an upgrade below a box that serves" "kill $server" /srv/box/install.sh
claim "it makes a picture" shoot "$(cat /root/key)"
claim "purged" /opt/allscreenshots-box/uninstall.sh --purge --yes
claim "it serves no more" sh -c "! kill -0 $server 2>/dev/null"
claim "nothing is left" sh -c '! ls -d /opt/allscreenshots* /var/lib/allscreenshots* /etc/allscreenshots*'
