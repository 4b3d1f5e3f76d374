#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: Network.setBlockedURLs with {urlPattern: "*://*/blocked/*"} blocks every address whose path begins with
#   /blocked/, as the older form with the text "*/blocked/*" does, and both block whatever the page asks for.
# Seen: a pattern that names no port means the default port, so on any other port it blocks nothing; "*://*:*/blocked/*"
#   is needed. And neither form ever blocks a frame, the script of a worker, or what that worker fetches.
#
# Output (what reached the server):
#   nothing blocked: fetch.json frame.html image.png in-worker.json worker.js
#   urls */blocked/*: frame.html in-worker.json worker.js
#   urlPattern *://*/blocked/*: fetch.json frame.html image.png in-worker.json worker.js
#   urlPattern *://*:*/blocked/*: frame.html in-worker.json worker.js
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

const PAGE = `<iframe src=/blocked/frame.html></iframe><img src=/blocked/image.png>
  <script>fetch('/blocked/fetch.json').catch(() => {}); const worker = new Worker('/blocked/worker.js');
  worker.onmessage = worker.onerror = () => document.title = 'done';</script>`;
const WORKER = "fetch('/blocked/in-worker.json').catch(() => {}).then(() => postMessage('done'))";
let arrived = [];
const server = http.createServer((request, response) => {
  if (request.url.startsWith('/blocked/')) arrived.push(request.url.slice(9));
  const [kind, body] = request.url === '/' ? ['text/html', PAGE]
    : request.url.endsWith('.js') ? ['text/javascript', WORKER] : ['text/html', 'there'];
  response.writeHead(200, {'content-type': kind}).end(body);
}).listen(0, '127.0.0.1');
await once(server, 'listening');

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const look = async (name, blocked) => {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const session = await page.createCDPSession();
  await session.send('Network.enable');
  await session.send('Network.setBlockedURLs', blocked);
  arrived = [];
  await page.goto(`http://127.0.0.1:${server.address().port}/`, {waitUntil: 'networkidle0'});
  await page.waitForFunction("document.title === 'done'");
  await context.close();
  console.log(`${name}: ${arrived.sort().join(' ')}`);
};
await look('nothing blocked', {urls: []});
await look('urls */blocked/*', {urls: ['*/blocked/*']});
for (const urlPattern of ['*://*/blocked/*', '*://*:*/blocked/*'])
  await look(`urlPattern ${urlPattern}`, {urlPatterns: [{urlPattern, block: true}]});
await browser.close();
server.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
nothing blocked: fetch.json frame.html image.png in-worker.json worker.js
urls */blocked/*: frame.html in-worker.json worker.js
urlPattern *://*/blocked/*: fetch.json frame.html image.png in-worker.json worker.js
urlPattern *://*:*/blocked/*: frame.html in-worker.json worker.js
EXPECTED
