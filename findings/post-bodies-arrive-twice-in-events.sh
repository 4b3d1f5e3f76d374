#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: an event about a request brings at most its body, and Network.enable with maxPostDataSize 0 brings none: the
#   parameter is "longest post body size (in bytes) that would be included in requestWillBeSent".
# Seen: a body of 5 MiB is in the event twice, as text and in base64: 12 MB. maxPostDataSize 0 is as if it were not there;
#   1 leaves the body out. Fetch.requestPaused has no such parameter and always brings both.
#
# Output (MB of JSON):
#   Network.requestWillBeSent, maxPostDataSize not set: 12
#   Network.requestWillBeSent, maxPostDataSize 0: 12
#   Network.requestWillBeSent, maxPostDataSize 1: 0
#   Fetch.requestPaused: 12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >look.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import {once} from 'node:events';
import http from 'node:http';

const server = http.createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200, {'content-type': 'text/html'}).end('there'));
}).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}/`;

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const look = async (name, event, domain, options) => {
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  await page.goto(url);
  await session.send(`${domain}.enable`, options);
  const told = new Promise(done => session.on(event, async what => {
    if (domain === 'Fetch') await session.send('Fetch.continueRequest', {requestId: what.requestId});
    if (what.request.method === 'POST') done(JSON.stringify(what).length);
  }));
  await page.evaluate(url => fetch(url, {method: 'POST', body: 'x'.repeat(5 << 20)}), url);
  console.log(`${name}: ${Math.round(await told / 1e6)}`);
  await page.close();
};
const sent = 'Network.requestWillBeSent';
await look(`${sent}, maxPostDataSize not set`, sent, 'Network', {});
await look(`${sent}, maxPostDataSize 0`, sent, 'Network', {maxPostDataSize: 0});
await look(`${sent}, maxPostDataSize 1`, sent, 'Network', {maxPostDataSize: 1});
await look('Fetch.requestPaused', 'Fetch.requestPaused', 'Fetch', {});
await browser.close();
server.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
Network.requestWillBeSent, maxPostDataSize not set: 12
Network.requestWillBeSent, maxPostDataSize 0: 12
Network.requestWillBeSent, maxPostDataSize 1: 0
Fetch.requestPaused: 12
EXPECTED
