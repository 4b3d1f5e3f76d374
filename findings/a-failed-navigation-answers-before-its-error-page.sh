#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: when Page.navigate answers with an errorText, that navigation is over: whoever navigates again goes from there.
# Seen: the answer comes first, and the browser's own page about the error is committed after it
#   (Page.frameNavigated with unreachableUrl, here as the second navigation is under way already). On a busy machine it
#   can come late enough to break off a navigation that was begun on the answer.
#
# Output:
#   answer: net::ERR_CONNECTION_REFUSED
#   error pages committed by then: 0
#   committed after a second navigation was asked for: error page, then the page
#   committed after it, having waited for the error page first: the page
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

const server = http.createServer((_, response) => {
  response.writeHead(200, {'content-type': 'text/html'}).end('there');
}).listen(0, '127.0.0.1');
const closed = http.createServer().listen(0, '127.0.0.1');
await Promise.all([once(server, 'listening'), once(closed, 'listening')]);
const [good, bad] = [server, closed].map(one => `http://127.0.0.1:${one.address().port}/`);
closed.close();

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const look = async patient => {
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  const committed = [];
  let shown, arrived;
  const isShown = new Promise(done => { shown = done; });
  const hasArrived = new Promise(done => { arrived = done; });
  session.on('Page.frameNavigated', ({frame}) => {
    committed.push(frame.unreachableUrl ? 'error page' : 'the page');
    (frame.unreachableUrl ? shown : arrived)();
  });
  await session.send('Page.enable');
  const {errorText} = await session.send('Page.navigate', {url: bad});
  const before = committed.length;
  if (patient) await isShown;
  const from = committed.length;
  await session.send('Page.navigate', {url: good});
  await hasArrived;
  await page.close();
  return {errorText, before, after: committed.slice(from)};
};
const hasty = await look(false);
console.log(`answer: ${hasty.errorText}`);
console.log(`error pages committed by then: ${hasty.before}`);
console.log(`committed after a second navigation was asked for: ${hasty.after.join(', then ')}`);
console.log(`committed after it, having waited for the error page first: ${(await look(true)).after.join(', then ')}`);
await browser.close();
server.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
answer: net::ERR_CONNECTION_REFUSED
error pages committed by then: 0
committed after a second navigation was asked for: error page, then the page
committed after it, having waited for the error page first: the page
EXPECTED
