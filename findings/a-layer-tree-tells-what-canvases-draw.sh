#!/usr/bin/env bash
# Chromium 153 (npm @sparticuz/chromium 153.0.0, driven by puppeteer-core 24.43.1)
#
# Expected: LayerTree.layerTreeDidChange tells that layers came, went or moved, as its name and description say; what is
#   drawn into a layer that stays is told by LayerTree.layerPainted.
# Seen: layerTreeDidChange comes once for every new picture that the page's own process makes: for each drawing into a
#   canvas, 2D or WebGL, and for a change in a closed shadow tree. layerPainted never came. An endless turn by a
#   style's animation, which the compositor runs, is told by neither, and a text that changes 5,000 pixels below the
#   window is not either. So one event says whether a page still draws by itself, canvases included.
#
# Output:
#   a canvas drawn 5 times: 5 changes, 0 paints
#   a scene of WebGL drawn 5 times: 5 changes, 0 paints
#   a text far below the window changed 5 times: 0 changes, 0 paints
#   a text in a closed shadow tree changed 5 times: 5 changes, 0 paints
#   something that turns for ever, by a style: 0 changes, 0 paints
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-save --no-audit --no-fund @sparticuz/chromium@153.0.0 puppeteer-core@24.43.1 >/dev/null

cat >layers.mjs <<'JS'
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';

const pages = {
  'a canvas drawn 5 times': ['<canvas></canvas>', `const draw = document.querySelector('canvas').getContext('2d');
    window.step = n => { draw.fillStyle = \`hsl(\${n * 60}, 90%, 50%)\`; draw.fillRect(0, 0, 300, 150); };`],
  'a scene of WebGL drawn 5 times': ['<canvas></canvas>', `const gl = document.querySelector('canvas').getContext('webgl');
    window.step = n => { gl.clearColor(n / 9, .5, .5, 1); gl.clear(gl.COLOR_BUFFER_BIT); };`],
  'a text far below the window changed 5 times': ['<div style="height: 5000px"></div><p>0</p>',
    `window.step = n => { document.querySelector('p').textContent = n; };`],
  'a text in a closed shadow tree changed 5 times': ['<section></section>',
    `const inside = document.querySelector('section').attachShadow({mode: 'closed'});
    inside.innerHTML = '<p>0</p>'; window.step = n => { inside.firstChild.textContent = n; };`],
  'something that turns for ever, by a style': [`<style>@keyframes turn { to { transform: rotate(360deg) } }
    i { display: block; width: 50px; height: 50px; background: red; animation: turn 1s infinite linear }</style><i></i>`,
    `window.step = () => {};`],
};
const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(), headless: 'shell', args: ['--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
});
const pause = milliseconds => new Promise(done => setTimeout(done, milliseconds));
for (const [name, [body, script]] of Object.entries(pages)) {
  const page = await browser.newPage();
  await page.setContent(`<!doctype html>${body}`);
  await page.evaluate(script);
  await pause(500);
  const session = await page.createCDPSession();
  const seen = {changes: 0, paints: 0};
  await session.send('LayerTree.enable');
  await pause(500);
  session.on('LayerTree.layerTreeDidChange', () => seen.changes++);
  session.on('LayerTree.layerPainted', () => seen.paints++);
  for (let n = 1; n <= 5; n++) {
    await page.evaluate(number => window.step(number), n);
    await pause(300);
  }
  console.log(`${name}: ${seen.changes} changes, ${seen.paints} paints`);
  await page.close();
}
await browser.close();
JS
timeout 120 node layers.mjs | tee seen
diff - seen <<'EXPECTED'
a canvas drawn 5 times: 5 changes, 0 paints
a scene of WebGL drawn 5 times: 5 changes, 0 paints
a text far below the window changed 5 times: 0 changes, 0 paints
a text in a closed shadow tree changed 5 times: 5 changes, 0 paints
something that turns for ever, by a style: 0 changes, 0 paints
EXPECTED
