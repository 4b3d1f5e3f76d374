# Lets the browser of allscreenshots-box make user namespaces, which its sandbox is built of, where Ubuntu 23.10 and
# newer keep programs without a profile from that. It restricts nothing else: the browser's own sandbox and the unit do.
# It names the programs themselves: /usr/bin/chromium-headless-shell is a script that starts the first of them. Ubuntu
# has profiles of its own for its Chromium (a snap) and for Google Chrome, and two for one program would cancel out.
# install.sh lays this file in /etc/apparmor.d where that restriction exists; uninstall.sh takes it away.

abi <abi/4.0>,
include <tunables/global>

profile allscreenshots-box-browser /{usr/lib/chromium/chromium-headless-shell,opt/chrome-headless-shell-linux64/chrome-headless-shell} flags=(unconfined) {
  userns,

  include if exists <local/allscreenshots-box-browser>
}
