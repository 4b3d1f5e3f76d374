#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: when a server closes before all of a document's announced length has come, the navigation fails, or the
#   document ends there and DOMContentLoaded and load follow, as they do where no length was announced.
# Seen: the navigation succeeds and what came is shown, but the document stays "loading" for ever: neither event comes.
#   Page.frameStoppedLoading is all that tells. Who waits for DOMContentLoaded waits until a time-out.
#
# Output:
#   no length announced: domContentEventFired loadEventFired frameStoppedLoading, complete, "there"
#   cut: frameStoppedLoading, loading, "there"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >look.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import {once} from 'node:events';
import net from 'node:net';

const PAGE = '<!doctype html><title>there</title><p>all that comes';
const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const look = async (name, length) => {
  const server = net.createServer(socket => socket.on('error', () => {}).once('data', () =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n${length}Connection: close\r\n\r\n${PAGE}`)));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  await session.send('Page.enable');
  const events = [];
  const stopped = new Promise(done => session.on('Page.frameStoppedLoading', done));
  for (const event of ['domContentEventFired', 'loadEventFired', 'frameStoppedLoading'])
    session.on(`Page.${event}`, () => events.push(event));
  await session.send('Page.navigate', {url: `http://127.0.0.1:${server.address().port}/`});
  await stopped;
  await new Promise(done => setTimeout(done, 2000));  // whatever else there is would come at once
  const {result} = await session.send('Runtime.evaluate', {expression: '[document.readyState, document.title]',
    returnByValue: true});
  console.log(`${name}: ${events.join(' ')}, ${result.value[0]}, "${result.value[1]}"`);
  await page.close();
  server.close();
};
await look('no length announced', '');
await look('cut', 'Content-Length: 1000\r\n');
await browser.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
no length announced: domContentEventFired loadEventFired frameStoppedLoading, complete, "there"
cut: frameStoppedLoading, loading, "there"
EXPECTED
