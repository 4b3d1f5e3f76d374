#!/usr/bin/env bash
# Chromium 153, headless shell (npm @sparticuz/chromium 153.0.0), started by hand
#
# Expected: `--log-level=3` (fatal errors only) or `--disable-logging` keeps the program's stderr free of what pages
#   write to their console, which are lines of the level INFO.
# Seen: headless shell writes each console line of each page to stderr, and neither switch changes that. `--log-level`
#   is listened to only beside `--enable-logging=stderr`, a switch to have more logged; `--enable-logging=none` is silent
#   too. Whoever reads that stderr reads as fast as any page likes to write: beside one page with a loop of console
#   lines, plain pictures of other pages of that browser took six seconds where they take 0.2.
#
# Output: lines of CONSOLE on stderr, of a page that writes three
#   (no switch): 3
#   --log-level=3: 3
#   --disable-logging: 3
#   --enable-logging=stderr: 3
#   --enable-logging=stderr --log-level=2: 0
#   --enable-logging=none: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 >/dev/null
program=$(node --input-type=module -e "
import chromium from '@sparticuz/chromium';
console.log(await chromium.executablePath());")

page='data:text/html,<script>console.log(1); console.warn(2); console.error(3)</script>'
lines() { # of CONSOLE, with these switches
    timeout 60 "$program" --headless --no-sandbox --disable-gpu --user-data-dir="$folder/profile" "$@" \
        --dump-dom "$page" 2>&1 >/dev/null | grep -c CONSOLE || true
}
{
    echo "(no switch): $(lines)"
    for switches in --log-level=3 --disable-logging --enable-logging=stderr \
        '--enable-logging=stderr --log-level=2' --enable-logging=none; do
        # shellcheck disable=SC2086 # a word for each switch
        echo "$switches: $(lines $switches)"
    done
} | tee seen
diff - seen <<'EXPECTED'
(no switch): 3
--log-level=3: 3
--disable-logging: 3
--enable-logging=stderr: 3
--enable-logging=stderr --log-level=2: 0
--enable-logging=none: 0
EXPECTED
