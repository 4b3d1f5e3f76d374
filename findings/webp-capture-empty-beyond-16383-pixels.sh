#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: a capture that the format cannot hold is refused. WebP ends at 16,383 pixels a side, and
#   Page.captureScreenshot has an error to say so with.
# Seen: up to 16,383 rows there is a picture. From 16,384 on the command succeeds, and its data is an empty string; the
#   same clip as PNG or JPEG is whole. Who decodes the answer without looking writes an empty file.
#
# Output:
#   16383 png picture
#   16383 jpeg picture
#   16383 webp picture
#   16384 png picture
#   16384 jpeg picture
#   16384 webp empty
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >look.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage();
const session = await page.createCDPSession();
await page.setContent('<body style="margin:0"><div style="height:20000px;background:linear-gradient(red,blue)">');
for (const height of [16383, 16384]) for (const format of ['png', 'jpeg', 'webp']) {
  const clip = {x: 0, y: 0, width: 100, height, scale: 1};
  const {data} = await session.send('Page.captureScreenshot', {format, clip, captureBeyondViewport: true});
  console.log(height, format, data === '' ? 'empty' : 'picture');
}
await browser.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
16383 png picture
16383 jpeg picture
16383 webp picture
16384 png picture
16384 jpeg picture
16384 webp empty
EXPECTED
