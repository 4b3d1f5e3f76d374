# As a service: an older version with a key, an upgrade, upgrades that fail, a way back, a distribution's upgrade, removal.
# shellcheck shell=sh disable=SC2154

mkdir -p /run/systemd/system
cp /srv/in_root/systemctl /usr/local/bin/systemctl
settings
link=/opt/allscreenshots-box/venv
box=/usr/local/bin/allscreenshots-box

older() { (cd /srv/older && ./install.sh) && $box keys create kept | tail -n 1 >/root/key; }
serves() { shoot "$(cat /root/key)"; }
serves_as_before() { [ "$(readlink -f $link)" = "$linked" ] && serves; }
upgrade() { (cd /srv/box && ./install.sh); }
tells_no_first_key() { upgrade && ! grep -q 'first key' "$said"; }
process() { cat /run/box.process; }

claim "an older version, with a key" older
show_page
claim "it makes a picture" serves
touch_source /srv/box
older_process=$(process)
refusal "a dead registry" "registry does not answer.*as it was" \
    env PIP_INDEX_URL=http://127.0.0.1:9/ PIP_RETRIES=0 PIP_NO_CACHE_DIR=1 /srv/box/install.sh
claim "the same process serves on" sh -c "[ $older_process = $(process) ]"
claim "and makes a picture" serves
claim "an upgrade, without a word of a first key" tells_no_first_key
claim "the key of before makes a picture" serves
claim "the version tells its commit" sh -c "$box version | grep -E 'commit [0-9a-f]{12}'"

linked=$(readlink -f $link)
printf '\nraise SystemExit("broken on purpose")\n' >>/srv/box/allscreenshots_box/server.py
refusal "a version that does not start" "not in use: it does not start.*The version before is, as it was" upgrade
claim "the version before serves" serves_as_before
(cd /srv/box && git checkout -q -- allscreenshots_box/server.py 2>/dev/null) ||
    sed -i '/broken on purpose/d' /srv/box/allscreenshots_box/server.py
echo 'browser = "/bin/true"' >>/etc/allscreenshots-box/config.toml
touch_source /srv/box
refusal "a browser that is none" "no browser, no box.*serves on" upgrade
claim "the version before serves" serves_as_before
sed -i '/^browser/d' /etc/allscreenshots-box/config.toml

# Backwards: the database is newer than the program.
copy=$(ls /var/lib/allscreenshots-box/box.db.before-*)
claim "there is a copy from before the upgrade ($copy)" test -n "$copy"

# A distribution's upgrade takes the Python away that all stands on.
mv "$link/lib" "$link/lib-of-another"
mkdir -p "$link/lib"
for words in version doctor "restore $copy"; do
    # shellcheck disable=SC2086 # words
    refusal "another Python: $words" "has changed, as after an upgrade of the distribution. Run its installer again" $box $words
done
mv "$link/bin/python" "$link/bin/python-gone"
refusal "no Python" "is gone, as after an upgrade of the distribution. Run its installer again" $box doctor
claim "the installer mends it" upgrade
claim "the key of before makes a picture" serves

claim "uninstalled" sh -c '/opt/allscreenshots-box/uninstall.sh'
claim "keys stay" test -e /var/lib/allscreenshots-box/box.db
claim "installed again" upgrade
claim "the key of before makes a picture" serves
claim "purged" sh -c 'cp /srv/box/uninstall.sh /root/ && /root/uninstall.sh --purge --yes'
claim "nothing is left" sh -c '! ls -d /opt/allscreenshots* /var/lib/allscreenshots* /etc/allscreenshots* \
    /usr/local/bin/allscreenshots* && ! id allscreenshots'
