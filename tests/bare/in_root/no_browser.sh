# Where apt has no browser but as a snap: said before anything is installed for nothing, and with what helps.
# shellcheck shell=sh disable=SC2154

refusal "a try" "no browser, no box" /srv/box/install.sh --serve
claim "it names what helps" grep -q 'ALLSCREENSHOTS_BOX_BROWSER=' "$before"
refusal "the service" "no browser, no box" /srv/box/install.sh
claim "nothing says that it is installed" sh -c "! grep -q Installed $before"
claim "no key was made" sh -c '! ls /var/lib/allscreenshots-box/box.db'
# What the snap's stub does where there is no snapd.
printf '#!/bin/sh\necho "Command needs the chromium snap: snap install chromium" >&2\nexit 1\n' >/usr/bin/chromium
chmod 755 /usr/bin/chromium
refusal "a stub in the place of a browser" "no browser, no box" /srv/box/install.sh
claim "nothing says that it is installed" sh -c "! grep -q Installed $before"
refusal "a try with it" "does not start" /srv/box/install.sh --serve --port "$port"
