#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: a script in an isolated world (Page.createIsolatedWorld) sees the page's document and none of its script's
#   doings; what the page has scheduled is its own business, and clearTimeout there ends only timers of that world.
# Seen: timers and animation frames of all worlds of a document are numbered in one row. So the number that setTimeout
#   returns in an isolated world says how many timers the page ever set, without a change to the page; and clearTimeout
#   with the number of a timer of the page ends that timer.
#
# Output:
#   the first timer of an isolated world, after 7 of the page: 8
#   the first frame of an isolated world, after 3 of the page: 4
#   a timer of the page that the isolated world cleared has fired: false
#   the one that it left has fired: true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >count.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import {createServer} from 'node:http';

const page_ = `<!doctype html><title>Timers</title><script>
for (let n = 0; n < 5; n++) setTimeout(() => {}, 0);
const doomed = setTimeout(() => { document.title += ' doomed'; }, 1500);
setTimeout(() => { document.title += ' left'; }, 1500);
for (let n = 0; n < 3; n++) requestAnimationFrame(() => {});
</script>`;
const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(page_)).listen(0, '127.0.0.1');
await new Promise(done => server.on('listening', done));
const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const page = await browser.newPage();
const session = await page.createCDPSession();
const {frameTree} = await session.send('Page.getFrameTree');
await session.send('Page.navigate', {url: `http://127.0.0.1:${server.address().port}/`});
await new Promise(done => setTimeout(done, 700));
const {executionContextId: contextId} = await session.send('Page.createIsolatedWorld', {
  frameId: frameTree.frame.id, worldName: 'apart',
});
const ask = async expression => (await session.send('Runtime.evaluate', {contextId, expression})).result.value;
console.log(`the first timer of an isolated world, after 7 of the page: ${await ask('setTimeout(() => {}, 0)')}`);
console.log(`the first frame of an isolated world, after 3 of the page: ${await ask('requestAnimationFrame(() => {})')}`);
await ask('clearTimeout(6)');
await new Promise(done => setTimeout(done, 1800));
const title = await ask('document.title');
console.log(`a timer of the page that the isolated world cleared has fired: ${title.includes('doomed')}`);
console.log(`the one that it left has fired: ${title.includes('left')}`);
await browser.close();
server.close();
JS
timeout 120 node count.mjs | tee seen
diff - seen <<'EXPECTED'
the first timer of an isolated world, after 7 of the page: 8
the first frame of an isolated world, after 3 of the page: 4
a timer of the page that the isolated world cleared has fired: false
the one that it left has fired: true
EXPECTED
