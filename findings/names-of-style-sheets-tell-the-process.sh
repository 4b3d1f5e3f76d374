#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: which process of the operating system draws a page cannot be learnt over the protocol from a blank page:
#   SystemInfo.getProcessInfo lists processes without a word on which pages each has, and ids are opaque.
# Seen: the id that CSS.createStyleSheet returns is style-sheet-PID-NUMBER, with the renderer's process as the system
#   numbers it. So a page can be told from others by what its process takes, before anything was loaded into it.
#
# Output:
#   a style sheet's id begins with the process of a renderer: true
#   two pages of different contexts, two processes: true
#   the same as SystemInfo.getProcessInfo lists as renderers: true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >look.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import {readFileSync} from 'node:fs';

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--disable-gpu'],
});
const drawnBy = async () => {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const session = await page.createCDPSession();
  await session.send('DOM.enable');
  await session.send('CSS.enable');
  const {frameTree} = await session.send('Page.getFrameTree');
  const {styleSheetId} = await session.send('CSS.createStyleSheet', {frameId: frameTree.frame.id});
  return Number(/^style-sheet-(\d+)-/.exec(styleSheetId)?.[1]);
};
const isRenderer = pid => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('--type=renderer');
const pids = [await drawnBy(), await drawnBy()];
console.log(`a style sheet's id begins with the process of a renderer: ${pids.every(isRenderer)}`);
console.log(`two pages of different contexts, two processes: ${pids[0] !== pids[1]}`);
const root = await browser.target().createCDPSession();
const {processInfo} = await root.send('SystemInfo.getProcessInfo');
const listed = processInfo.filter(one => one.type === 'renderer').map(one => one.id);
console.log(`the same as SystemInfo.getProcessInfo lists as renderers: ${pids.every(pid => listed.includes(pid))}`);
await browser.close();
JS
timeout 120 node look.mjs | tee seen
diff - seen <<'EXPECTED'
a style sheet's id begins with the process of a renderer: true
two pages of different contexts, two processes: true
the same as SystemInfo.getProcessInfo lists as renderers: true
EXPECTED
