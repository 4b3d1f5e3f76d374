"""Pages that cost all they can: each one row, each bounded, so that a machine that runs tests lives through it.

A page may take 3 GB where the box lets it, and ends by itself within a minute even if nobody ends it.
"""

from tests.neighbour.cases import LATE, OK, Case

BLANK = {"waitUntil": "domcontentloaded"}
MARKDOWN = {"outputs": [{"type": "markdown", "mainContentOnly": False}]}
SOURCE = {"outputs": [{"type": "html"}]}
EVERYTHING = {
    "outputs": [
        {"type": "screenshot"},
        {"type": "html", "clean": False},
        {"type": "markdown"},
        {
            "type": "json",
            "schema": {"a": {"selector": "*", "attribute": "class", "multiple": True}, "b": {"selector": "body"}},
        },
    ]
}
PATIENT = {"timeout": 20000}  # so that it is not the deadline that ends what is large
PDF = {"format": "pdf"}
WHOLE = {"fullPage": True}
ENDS = OK | {"page_crashed"}  # such a page may be ended
LARGE = OK | {"page_too_large"}
TRIED = {"service_unavailable"}  # where what was left of a short deadline did not do for the second try

_HALF = "const half = '\\ud83d', whole = '\\u{1f600}';"
_WORKER = "const work = (code) => new Worker(URL.createObjectURL(new Blob([code])));"
_BUSY = "setInterval(() => fetch('/nothing').catch(() => 0), 200);"  # so that the network is not quiet
_WASM_LOOP = "new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,7,8,1,4,108,111,111,112,0,0,10,9,1,7,0,3,64,12,0,11,11]))).exports.loop()"


def script(code: str, before: str = "<p>here") -> str:
    """Return a body with a script."""
    return f"{before}<script>{code}</script>"


TEXTS = [
    Case("half a character in a class name", script(f"{_HALF} document.body.className = half"), options=MARKDOWN, brief=True),
    Case("an emoji cut in title and text", script(f"{_HALF} document.title = whole.slice(0, 1); document.querySelector('p').textContent = 'a' + whole[0] + 'b'"), options=EVERYTHING),
    Case("half a character in ids, attributes and comments", script(f"{_HALF} for (const name of ['id', 'class', 'title', 'href', 'src', 'alt', 'style', 'lang']) document.querySelector('p').setAttribute(name, 'x' + half); document.body.append(document.createComment(half))"), options=EVERYTHING),
    Case("half a character said to console and dialogs", script(f"{_HALF} console.log(half, {{[half]: half}}); alert(half); prompt(half, half); setTimeout(() => {{ throw new Error(half) }})"), options=EVERYTHING),
    Case("half a character in the names of frames", script(f"{_HALF} window.name = half; const frame = document.createElement('iframe'); frame.name = half; frame.id = half; document.body.append(frame); history.pushState(half, half, '#' + half)"), hears=LARGE),
    Case("half a character in cookies and storage", script(f"{_HALF} document.cookie = 'a=' + half; localStorage[half] = half; sessionStorage[half] = half"), options=EVERYTHING),
    Case("half a character thrown at whoever looks", script(f"{_HALF} for (const kind of [Element, Document, Node]) for (const name of Object.getOwnPropertyNames(kind.prototype)) try {{ Object.defineProperty(kind.prototype, name, {{get() {{ throw half }}}}) }} catch {{}}"), hears=OK | {"selector_not_found", "timeout", "page_crashed"}),
]  # fmt: skip

SIZES = [
    Case("class names of 1 MB, a hundred", script("document.body.className = Array.from({length: 100}, (_, i) => i + 'x'.repeat(1 << 20)).join(' ')"), options=MARKDOWN | PATIENT, hears=LARGE | LATE, brief=True),
    Case("ids of 50 MB", script("for (let i = 0; i < 4; i++) document.body.append(Object.assign(document.createElement('p'), {id: i + 'x'.repeat(50 << 20)}))"), options=EVERYTHING | PATIENT, hears=LARGE | LATE),
    Case("a hundred thousand class names", script("document.body.innerHTML = Array.from({length: 100000}, (_, i) => `<i class='c${i} d${i}' id='i${i}'></i>`).join('')"), options=EVERYTHING | PATIENT, hears=LARGE | LATE),
    Case("a window name of 64 MB", script("window.name = 'x'.repeat(64 << 20)"), hears=LARGE | LATE),
    Case("a title of 64 MB", script("document.title = 'x'.repeat(64 << 20)"), options=EVERYTHING | PATIENT, hears=LARGE | LATE),
    Case("names of frames of 16 MB", script("for (let i = 0; i < 8; i++) document.body.append(Object.assign(document.createElement('iframe'), {name: i + 'x'.repeat(16 << 20)}))"), hears=ENDS | LARGE | LATE),
    Case("addresses of 2 MB, again and again", script("let n = 0; setInterval(() => history.replaceState(0, '', '#' + n++ + 'x'.repeat(2000000)), 10)"), hears=LARGE | LATE),
    Case("a data URL of 64 MB in a frame", script("document.body.append(Object.assign(document.createElement('iframe'), {src: 'data:text/html,' + 'x'.repeat(64 << 20)}))"), hears=LARGE | LATE),
    Case("console lines of 32 MB", script("let n = 0; const id = setInterval(() => { console.log('x'.repeat(32 << 20)); if (++n > 30) clearInterval(id) }, 20)"), hears=LARGE | LATE),
    Case("console lines without end", script("setInterval(() => { for (let i = 0; i < 500; i++) console.log('x', i, {a: i}, document.body) }, 0)"), hears=LARGE | LATE),
    Case("alerts of 32 MB", script("for (let i = 0; i < 8; i++) alert('x'.repeat(32 << 20))"), hears=LARGE | LATE),
    Case("an error of 64 MB", script("throw new Error('x'.repeat(64 << 20))"), hears=LARGE | LATE),
    Case("messages of 32 MB on a WebSocket", script(f"{_BUSY} new WebSocket('ws://w.example/web-socket?many=12&size=' + (32 << 20))"), options={"waitUntil": "networkidle"}, hears=LARGE | LATE),
    Case("a flood of messages on WebSockets", script(f"{_BUSY} for (let i = 0; i < 8; i++) new WebSocket('ws://w.example/web-socket?many=2000000&size=1')"), options={"waitUntil": "networkidle"}, hears=LARGE | LATE),
    Case("a flood of sent messages on a WebSocket", script("const s = new WebSocket('ws://w.example/web-socket?many=1'); s.onopen = () => setInterval(() => { for (let i = 0; i < 2000 && s.bufferedAmount < 1e8; i++) s.send('x'.repeat(100)) }, 0)"), hears=LARGE | LATE),
    Case("requests for addresses of 1 MB", script("for (let i = 0; i < 40; i++) fetch('/x?' + i + 'x'.repeat(1 << 20)).catch(() => 0)"), options={"waitUntil": "networkidle"}, hears=LARGE | LATE),
    Case("requests without end", script("const on = (i) => fetch('/nothing?' + i).catch(() => 0).then(() => on(i + 1)); for (let i = 0; i < 50; i++) on(i * 1e6)"), options={"waitUntil": "networkidle"}, hears=LATE),
    Case("beacons without end", script("setInterval(() => { for (let i = 0; i < 20; i++) navigator.sendBeacon('/nothing', 'x'.repeat(60000)) }, 0)"), hears=LATE),
    Case("a text of 64 MB as everything", script("document.body.textContent = 'x '.repeat(32 << 20)"), options=EVERYTHING, hears=LARGE | LATE),
    Case("a value of 64 MB in each of many fields", script("document.querySelector('p').setAttribute('a', 'x'.repeat(64 << 20))"), options={"outputs": [{"type": "json", "schema": {f"f{number}": {"selector": "p", "attribute": "a"} for number in range(50)}}]}, hears=LARGE | LATE),
]  # fmt: skip

LOOPS = [
    Case("a loop", script("addEventListener('load', () => { for (;;); })"), hears=LATE),
    Case("a loop before there is a page", "<script>for (;;);</script>", hears=LATE),
    Case("sixty workers that loop", script(f"{_WORKER} for (let i = 0; i < 60; i++) work('for (;;);')"), hears=LATE, brief=True),
    Case("sixty workers that loop, and the page too", script(f"{_WORKER} for (let i = 0; i < 60; i++) work('for (;;);'); setTimeout(() => {{ for (;;); }}, 300)"), hears=LATE, callers=2),
    Case("workers that make workers", script(f"{_WORKER} const code = `const seed = (depth, code) => {{ if (depth) for (let i = 0; i < 3; i++) new Worker(URL.createObjectURL(new Blob(['(' + code + ')(' + (depth - 1) + ',' + JSON.stringify(code) + ')']))); else for (;;); }}; seed(4, seed.toString())`; work(code)"), hears=LATE),
    Case("WebAssembly that loops", script(f"{_WORKER} for (let i = 0; i < 8; i++) work('{_WASM_LOOP}')"), hears=LATE),
    Case("frames of forty sites that loop", "".join(f'<iframe src="http://s{number}.site{number}.example/loop"></iframe>' for number in range(40)), hears=LATE),
    Case("shared workers that loop", script("for (let i = 0; i < 20; i++) new SharedWorker(URL.createObjectURL(new Blob(['for (;;);'])), 'w' + i)"), hears=LATE),
    Case("drawing off the screen in twenty workers", script(f"{_WORKER} for (let i = 0; i < 20; i++) work('const c = new OffscreenCanvas(2048, 2048), g = c.getContext(`2d`); const d = () => {{ for (let i = 0; i < 50; i++) {{ g.filter = `blur(20px)`; g.fillRect(i, i, 1500, 1500) }} setTimeout(d) }}; d()')"), hears=ENDS | LATE),
    Case("a regular expression that never ends", script("setTimeout(() => /^(a+)+$/.test('a'.repeat(60) + 'b'), 50)"), hears=LATE),
    Case("channels that flood each other", script("const a = new BroadcastChannel('x'), b = new BroadcastChannel('x'); a.onmessage = b.onmessage = (e) => { for (let i = 0; i < 2; i++) e.target.postMessage('x'.repeat(1000)) }; a.postMessage(1); b.postMessage(1); setTimeout(() => { a.close(); b.close() }, 20000)"), hears=ENDS | LATE),
    Case("observers that play ping-pong", script("const a = document.querySelector('p'); new MutationObserver(() => a.setAttribute('x', Math.random())).observe(a, {attributes: true}); new ResizeObserver(() => { a.style.width = Math.random() * 300 + 'px' }).observe(a); a.setAttribute('x', 1)"), hears=LATE),
    Case("alerts without end", script("addEventListener('load', () => setTimeout(() => { for (;;) alert('x') }, 0))"), hears=LATE),
    Case("questions and prints without end", script("setInterval(() => { confirm('x'); prompt('x'); print() }, 0)"), hears=LATE),
    Case("a title that changes without end", script("setInterval(() => { for (let i = 0; i < 500; i++) document.title = Math.random() }, 0)"), hears=LATE),
    Case("an address that changes without end", script("let n = 0; setInterval(() => { for (let i = 0; i < 50; i++) { location.hash = n++; history.pushState(n, '', '?' + n) } }, 0)"), hears=LARGE | LATE),
    Case("a page that loads itself without end", script("setTimeout(() => location.replace('?' + Math.random()), 0)"), hears=LARGE | LATE | {"url_unreachable"}),
    Case("a refresh without end", '<meta http-equiv="refresh" content="0"><p>here', hears=LARGE | LATE | {"url_unreachable"}),
    Case("frames that load without end", script("for (let i = 0; i < 20; i++) { const f = document.createElement('iframe'); document.body.append(f); f.onload = () => setTimeout(() => { f.src = '/nothing?' + Math.random() }, 0); f.src = '/nothing' }"), hears=LARGE | LATE),
    Case("frames in frames", script("const deep = (d, n) => { for (let i = 0; n && i < 6; i++) { const f = d.createElement('iframe'); d.body.append(f); deep(f.contentDocument, n - 1) } }; deep(document, 4)"), hears=ENDS | LATE),
    Case("frames that come and go without end", script("setInterval(() => { for (let i = 0; i < 20; i++) { const f = document.createElement('iframe'); document.body.append(f); f.remove() } }, 0)"), hears=LATE),
    Case("windows without end", script("setInterval(() => { for (let i = 0; i < 20; i++) open('about:blank') }, 0)"), hears=LARGE | LATE),
    Case("downloads without end", script("const u = URL.createObjectURL(new Blob(['x'])); setInterval(() => { for (let i = 0; i < 10; i++) Object.assign(document.createElement('a'), {href: u, download: 'x' + i}).click() }, 0)"), hears=LATE | {"not_a_page", "url_unreachable"}),
    Case("permissions asked for without end", script("setInterval(() => { for (let i = 0; i < 20; i++) { navigator.geolocation.getCurrentPosition(() => 0, () => 0); window.Notification?.requestPermission(); document.body.requestPointerLock?.(); document.body.requestFullscreen?.().catch(() => 0) } }, 0)"), hears=LATE),
    Case("a page that loops as it leaves", script("for (const name of ['pagehide', 'unload', 'beforeunload', 'visibilitychange', 'freeze']) addEventListener(name, () => { const end = performance.now() + 20000; while (performance.now() < end); })"), hears=LATE),
    Case("a page that asks whether to leave", script("addEventListener('beforeunload', (e) => { e.preventDefault(); e.returnValue = 'x' }); setInterval(() => location = '/nothing', 100)"), hears=LATE),
    Case("requests that hold the page", script("addEventListener('load', () => { for (;;) { const x = new XMLHttpRequest(); x.open('GET', '/late?ms=3000', false); try { x.send() } catch {} } })"), hears=LATE),
    Case("frames of animation that cost a second", script("const on = () => { const end = performance.now() + 1000; while (performance.now() < end); requestAnimationFrame(on) }; on()"), hears=LATE),
    Case("peers and sounds by the hundred", script("for (let i = 0; i < 300; i++) { try { const p = new RTCPeerConnection(); p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o)).catch(() => 0) } catch {} try { new AudioContext().createOscillator().start() } catch {} }"), hears=LATE),
]  # fmt: skip

WEIGHTS = [
    Case("a hundred thousand elements in shadow trees", script("let at = document.body; for (let i = 0; i < 400; i++) { const e = document.createElement('div'); at.append(e); at = e.attachShadow({mode: 'open'}) } for (let i = 0; i < 100000; i++) document.body.append(document.createElement('i'))"), options=EVERYTHING, hears=ENDS | LARGE | LATE),
    Case("elements in elements, fifty thousand deep", script("let at = document.body; for (let i = 0; i < 50000; i++) { const e = document.createElement('div'); at.append(e); at = e }"), options=EVERYTHING, hears=ENDS | LARGE | LATE),
    Case("a document that grows for ever", script("setInterval(() => { for (let i = 0; i < 2000 && document.body.childNodes.length < 2e6; i++) document.body.append('x', document.createElement('p')) }, 0)"), options=WHOLE, hears=ENDS | LARGE | LATE),
    Case("a page of ten million pixels", "<style>body { height: 10000000px; background: linear-gradient(red, blue) }</style>", options=WHOLE, hears=LARGE | LATE),
    Case("a PDF of ten thousand pages", "<style>p { break-after: page }</style>" + script("document.body.innerHTML = '<p>x'.repeat(10000)"), options=PDF, hears=LARGE | LATE),
    Case("a PDF that does not end", "<style>body { height: 30000000px }</style><p>here", options=PDF, hears=LARGE | LATE | ENDS),
    Case("ten whole pages of one", script("document.body.innerHTML = Array.from({length: 3000}, (_, i) => `<p style='background: hsl(${i}, 90%, 50%)'>${i}`).join('')"), options={"outputs": [{"type": "screenshot", "fullPage": True, "id": f"o{number}"} for number in range(10)]}, hears=LARGE | LATE),
    Case("noise at 4096 x 4096, twice as fine", script("const c = document.createElement('canvas'); c.width = c.height = 4096; document.body.replaceChildren(c); const g = c.getContext('2d'), d = g.createImageData(4096, 4096), w = new Uint32Array(d.data.buffer); let s = 1; for (let i = 0; i < w.length; i++) { s = (s * 1103515245 + 12345) | 0; w[i] = s | 0xff000000 } g.putImageData(d, 0, 0)", "<style>body { margin: 0 } canvas { image-rendering: pixelated }</style>"), options={"viewport": {"width": 4096, "height": 4096, "deviceScaleFactor": 2}, "timeout": 50000}),
    Case("two gigabytes of canvases", script("const held = []; const more = () => { const c = document.createElement('canvas'); c.width = c.height = 4096; c.getContext('2d').fillRect(0, 0, 4096, 4096); held.push(c); document.body.append(c); if (held.length < 32) setTimeout(more, 20) }; more()"), hears=ENDS | LATE),
    Case("two gigabytes of textures", script("const g = document.createElement('canvas').getContext('webgl2'), held = []; const more = () => { const t = g.createTexture(); g.bindTexture(g.TEXTURE_2D, t); g.texStorage2D(g.TEXTURE_2D, 1, g.RGBA8, 4096, 4096); g.texSubImage2D(g.TEXTURE_2D, 0, 0, 0, 4096, 4096, g.RGBA, g.UNSIGNED_BYTE, new Uint8Array(1 << 26).fill(held.length)); g.finish(); held.push(t); if (held.length < 32) setTimeout(more, 20) }; if (g) more()"), options={"delay": 3000, "timeout": 9000}, hears=ENDS | LATE),
    Case("a shader that never ends", script("const c = document.createElement('canvas'), g = c.getContext('webgl'); document.body.append(c); if (g) { const s = (t, x) => { const o = g.createShader(t); g.shaderSource(o, x); g.compileShader(o); return o }, p = g.createProgram(); g.attachShader(p, s(g.VERTEX_SHADER, 'attribute vec4 a; void main() { gl_Position = a; }')); g.attachShader(p, s(g.FRAGMENT_SHADER, 'precision highp float; void main() { float x = gl_FragCoord.x; for (int i = 0; i < 1000000; i++) x = sin(x) * cos(x) + fract(x * 1.7); gl_FragColor = vec4(x); }')); g.linkProgram(p); g.useProgram(p); g.bindBuffer(g.ARRAY_BUFFER, g.createBuffer()); g.bufferData(g.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), g.STATIC_DRAW); g.enableVertexAttribArray(0); g.vertexAttribPointer(0, 2, g.FLOAT, false, 0, 0); g.drawArrays(g.TRIANGLES, 0, 3) }"), hears=ENDS | LATE | TRIED),
    Case("three gigabytes of memory", script("const held = []; const more = () => { held.push(new Uint8Array(64 << 20).fill(1)); if (held.length < 48) setTimeout(more, 5) }; addEventListener('load', more)"), options={"delay": 3000}, hears=ENDS | LATE),
    Case("three gigabytes in workers", script(f"{_WORKER} for (let i = 0; i < 6; i++) work('const h = []; const more = () => {{ h.push(new Uint8Array(64 << 20).fill(1)); if (h.length < 8) setTimeout(more, 5) }}; more()')"), options={"delay": 3000}, hears=ENDS | LATE),
    Case("a gigabyte and a half of blobs", script("const held = []; const more = () => { held.push(new Blob([new Uint8Array(32 << 20).fill(held.length)])); if (held.length < 48) setTimeout(more, 10) }; more()"), options={"delay": 4000, "timeout": 9000}, hears=ENDS | LATE),
    Case("a gigabyte in a database of the page", script("const r = indexedDB.open('x'); r.onupgradeneeded = () => r.result.createObjectStore('s'); let n = 0; r.onsuccess = () => { const more = () => { const t = r.result.transaction('s', 'readwrite'); t.objectStore('s').put(new Uint8Array(16 << 20).fill(n), n); t.oncomplete = () => { if (++n < 64) more() } }; more() }"), options={"delay": 4000, "timeout": 9000}, hears=ENDS | LATE),
    Case("messages to a worker that never reads", script(f"{_WORKER} const w = work('for (;;);'); let n = 0; setInterval(() => {{ if (n++ < 40) w.postMessage(new Uint8Array(32 << 20).fill(1)) }}, 10)"), options={"delay": 2000}, hears=ENDS | LATE),
    Case("a picture of 400 million points", '<img src="/picture?side=20000" style="width: 100%">', hears=ENDS | LATE),
    Case("a font of 100 MB", "<style>@font-face { font-family: x; src: url(/font) } body { font-family: x }</style><p>here", hears=LATE),
    Case("a style of five thousand animations", "<style>@keyframes a { to { transform: rotate(1turn); filter: blur(9px) } } i { display: inline-block; width: 9px; height: 9px; background: red; animation: a 1s infinite }</style>" + script("document.body.innerHTML = '<i></i>'.repeat(5000)"), hears=LATE),
    Case("filters that cost minutes", '<svg width="4000" height="4000"><filter id="f">' + "<feTurbulence baseFrequency='.01' numOctaves='20'/><feGaussianBlur stdDeviation='200'/><feDisplacementMap in2='SourceGraphic' scale='200'/>" * 12 + '</filter><rect width="4000" height="4000" filter="url(#f)"/></svg>', hears=ENDS | LATE),
    Case("two thousand layers", "<style>i { position: absolute; width: 2000px; height: 2000px; will-change: transform; mix-blend-mode: difference; background: linear-gradient(red, blue) }</style>" + script("document.body.innerHTML = '<i></i>'.repeat(2000)"), hears=ENDS | LATE),
    Case("shadows by the thousand", script("document.body.innerHTML = `<p style='box-shadow: ${Array.from({length: 3000}, (_, i) => `${i % 99}px ${i % 77}px 90px red`).join()}'>here`"), hears=LATE),
    Case("a selector that matches all against all", "<style>" + "".join(f"body:has(i:nth-child({n}n+1) ~ i:not(:has(b)) i) i {{ color: red }}" for n in range(2, 60)) + "</style>" + script("document.body.innerHTML = '<i></i>'.repeat(20000); setInterval(() => document.body.append(document.createElement('i')), 1)"), hears=LATE),
    Case("a table of wide rows as Markdown", script("document.body.innerHTML = '<table>' + '<tr><td>x'.repeat(3000) + '<tr>' + '<td>y'.repeat(1000) + '</table>'"), options=MARKDOWN, hears=LARGE | LATE),
    Case("a million links as Markdown", script("document.body.innerHTML = '<a href=x>y</a> '.repeat(250000)"), options=MARKDOWN, hears=LARGE | LATE),
    Case("quotations in lists in quotations as Markdown", script("document.body.innerHTML = '<blockquote><ul><li>x'.repeat(2000)"), options=MARKDOWN, hears=LARGE | LATE | ENDS),
    Case("fifty thousand paragraphs to tell the main ones of", script("document.body.innerHTML = '<div class=content><p>some words, some more</p></div>'.repeat(50000)"), options={"outputs": [{"type": "markdown"}, {"type": "html", "mainContentOnly": True}]}, hears=LARGE | LATE),
    Case("a hundred thousand values", script("document.body.innerHTML = '<i>some words</i>'.repeat(50000)"), options={"outputs": [{"type": "json", "schema": {f"f{number}": {"selector": "i", "multiple": True} for number in range(100)}}]}, hears=LARGE | LATE),
]  # fmt: skip

LIES = [
    Case("arrays that answer the consent step with millions", script("const big = new Array(3e6).fill(0); Array.prototype.flatMap = () => big"), hears=LARGE | LATE),
    Case("numbers that nobody counts to", script("Array.prototype.flatMap = () => [1e308, -1, 0.5, 'x', null, {}, NaN]"), hears=LARGE | LATE),
    Case("answers of 32 MB to whatever is asked", script("const big = 'x'.repeat(32 << 20); Object.defineProperty(Object.prototype, 'known', {get: () => [big], set() {}}); Object.prototype.toJSON = () => big; Array.prototype.toJSON = () => big; Array.prototype.flatMap = () => Array(4).fill(big)"), hears=LARGE | LATE),
    Case("a language that is broken", script("window.Promise = window.setTimeout = window.requestAnimationFrame = window.JSON = window.Symbol = undefined; Document.prototype.querySelector = () => { throw 1 }; Object.defineProperty(document, 'fonts', {get() { throw 1 }})"), options=WHOLE, hears=LATE),
    Case("sizes that a page makes up", script("for (const name of ['scrollHeight', 'clientHeight', 'offsetHeight', 'scrollWidth']) Object.defineProperty(Element.prototype, name, {get: () => 1e15}); window.innerHeight = -1; Element.prototype.getBoundingClientRect = () => ({x: NaN, y: -1e300, width: 1e300, height: 1e300})"), options={"fullPage": True, "maxHeight": 5000}, hears=LARGE | LATE),
    Case("a promise that never comes", script("window.Promise = function () { return {then() {}} }; document.fonts.ready.then = () => 0; window.requestAnimationFrame = () => 0"), options=WHOLE, hears=LARGE | LATE),
    Case("getters that loop", script("for (const name of ['body', 'documentElement', 'readyState', 'fonts', 'title']) try { Object.defineProperty(document, name, {get() { for (;;); }}) } catch {}"), hears=LARGE | LATE),
]  # fmt: skip
