"""Pages of the public site that try to reach what they may not, one way each."""

from tests.attacks.cases import Case

# The page may still be there, or have gone where it may not.
SETTLED: frozenset[int | str] = frozenset({200, "target_not_allowed"})

_STUN = """<script>
const peer = new RTCPeerConnection({iceServers: [%s]});
peer.createDataChannel('x');
peer.createOffer().then(offer => peer.setLocalDescription(offer));
</script>"""
_FAR_PEER = """<script>
const near = new RTCPeerConnection();
near.createDataChannel('x');
near.createOffer().then(async offer => {
  await near.setLocalDescription(offer);
  const far = new RTCPeerConnection();
  await far.setRemoteDescription(offer);
  await far.setLocalDescription(await far.createAnswer());
  await near.setRemoteDescription(far.localDescription);
  for (const address of ['@PRIVATE@', '@UDP@'.split(':')[0]])
    near.addIceCandidate({candidate: `candidate:1 1 udp 2113937151 ${address} 3478 typ host`, sdpMLineIndex: 0});
});
</script>"""
_WORKER = "for (const url of %s) { fetch(url, {mode: 'no-cors'}).catch(() => 0); %s }"
_IN_WORKER = "const T = @TARGETS@; " + _WORKER % ("T", "try { new WebSocket(url.replace('http', 'ws')) } catch {}")
_CLICK = [{"type": "click", "selector": "#way"}, {"type": "wait", "ms": 800, "optional": True}]

MARKUP = [
    Case("an image", '<img src="@T@">'),
    Case("a srcset", '<img srcset="@T@ 1x">'),
    Case("a picture's source", '<picture><source srcset="@T@"><img></picture>'),
    Case("an image in SVG", '<svg><image href="@T@"/></svg>'),
    Case(
        "a filter in SVG",
        '<svg><filter id="f"><feImage href="@T@"/></filter><rect filter="url(#f)" width="9" height="9"/></svg>',
    ),
    Case("an input that is an image", '<input type="image" src="@T@">'),
    Case("a background attribute", '<table background="@T@"><tr><td>x</table>'),
    Case("a script", '<script src="@T@"></script>'),
    Case("a module", '<script type="module" src="@T@"></script>'),
    Case("a script in SVG", '<svg><script href="@T@"></script></svg>'),
    Case("a dynamic import", "<script>T.forEach(url => import(url).catch(() => 0))</script>"),
    Case("an import of JSON", "<script>T.forEach(url => import(url, {with: {type: 'json'}}).catch(() => 0))</script>"),
    Case(
        "an import map",
        """<script type="importmap">{"imports": {"x": "http://@PRIVATE@/x.js"}}</script><script type="module">import 'x'</script>""",
    ),
    Case("a style sheet", '<link rel="stylesheet" href="@T@">'),
    Case("an imported style sheet", '<style>@import "@T@";</style>'),
    Case("a background in CSS", '<p style="background: url(@T@)">x'),
    Case(
        "a cursor, mask and content in CSS",
        '<p style="mask: url(@T@); list-style: url(@T@); border-image: url(@T@) 1">x<i style="content: url(@T@)"></i>',
    ),
    Case(
        "a font", '<style>@font-face { font-family: "@T@"; src: url("@T@") }</style><p style="font-family: \'@T@\'">x'
    ),
    Case("a video", '<video src="@T@" preload="auto"></video>'),
    Case("a poster", '<video poster="@T@"></video>'),
    Case("a sound", '<audio src="@T@" preload="auto"></audio>'),
    Case("subtitles", '<video src="/x.mp4" crossorigin><track default kind="subtitles" src="@T@"></video>'),
    Case("a frame", '<iframe src="@T@"></iframe>'),
    Case("a frame in a frame", '<iframe srcdoc="<iframe src=@T@></iframe>"></iframe>'),
    Case(
        "a frame from a blob",
        "<script>T.forEach(url => document.body.append(Object.assign(document.createElement('iframe'), {src: URL.createObjectURL(new Blob([`<img src=${url}>`], {type: 'text/html'}))})))</script>".replace(
            "document.body", "document.documentElement"
        ),
    ),
    Case("a frame from a data URL", "<iframe src=\"data:text/html,<img src='@T@'>\"></iframe>"),
    Case("a sandboxed frame", '<iframe sandbox="allow-scripts" srcdoc="<script src=@T@></script>"></iframe>'),
    Case("a frame that is redirected", '<iframe src="/redirect/302/?to=@T@"></iframe>'),
    Case(
        "a frame of another public site that frames it",
        '<iframe src="http://frame.public.example/@CASE@/extra.html"></iframe>',
        extra='<iframe src="@T@"></iframe>',
    ),
    Case("an object", '<object data="@T@" type="text/html"></object>'),
    Case("an embedded object", '<embed src="@T@" type="text/html">'),
    Case("an icon", '<link rel="icon" href="@T@">', held="headless Chromium fetches no icons"),
    Case("a manifest", '<link rel="manifest" href="@T@">', held="Chromium reads a manifest when it would install"),
    Case("a base", '<base href="http://@PRIVATE@/"><img src="x.png">'),
    Case(
        "a style sheet for XML",
        "<iframe src=\"data:text/xml,<?xml-stylesheet href='@T@'?><a/>\"></iframe>",
        held="Chromium wants style sheets for XML from the same origin",
    ),
    Case("a portal", '<portal src="@T@"></portal>', held="Chromium has no portals any more"),
    Case("an HTML import", '<link rel="import" href="@T@">', held="Chromium has no HTML imports any more"),
]

HINTS = [
    Case("a prefetch", '<link rel="prefetch" href="@T@">'),
    Case("a preload", '<link rel="preload" as="image" href="@T@">'),
    Case("a preload of a module", '<link rel="modulepreload" href="@T@">'),
    Case("a preconnect", '<link rel="preconnect" href="@T@">'),
    Case(
        "a prefetch of a name",
        '<link rel="dns-prefetch" href="//prefetch.@HOST@">',
        held="a lookup is no packet to the target; another test holds it",
    ),
    Case("a prerender", '<link rel="prerender" href="@T@">'),
    Case(
        "speculation rules",
        """<script type="speculationrules">{"prefetch": [{"source": "list", "urls": ["http://@PRIVATE@/", "http://@LOOPBACK@/", "@HOME@x"]}], "prerender": [{"source": "list", "urls": ["http://@LINK@/"]}]}</script>""",
    ),
    Case("a Link header that preloads", headers=("Link: <@T@>; rel=preload; as=image",)),
    Case("a Link header that preconnects", headers=("Link: <@T@>; rel=preconnect",)),
    Case(
        "a Link header with a style sheet",
        headers=("Link: <@T@>; rel=stylesheet",),
        held="Chromium takes no style sheets from headers",
    ),
    Case(
        "a report of a policy",
        '<img src="http://elsewhere.public.example/x.png">',
        headers=(
            "Content-Security-Policy: img-src 'none'; report-uri http://@PRIVATE@/ http://@LOOPBACK@/ http://@LINK@/",
        ),
    ),
    Case(
        "reports to an endpoint",
        '<img src="/x.png">',
        headers=(
            'Reporting-Endpoints: default="http://@PRIVATE@/", csp="http://@LINK@/"',
            "Content-Security-Policy: img-src 'none'; report-to csp",
        ),
        held="Chromium reports to https only",
    ),
    Case(
        "a log of network errors",
        headers=(
            'Report-To: {"group": "n", "max_age": 9, "endpoints": [{"url": "http://@PRIVATE@/"}]}',
            'NEL: {"report_to": "n", "max_age": 9, "success_fraction": 1}',
        ),
        held="Chromium logs errors of https only",
    ),
    Case(
        "an alternative service",
        "<script>later(() => fetch('/again.js'), 300)</script>",
        headers=('Alt-Svc: h3="@PRIVATE@:443"; ma=60, h2="@PRIVATE@:443"; ma=60, h3="@UDP@"',),
        held="Chromium believes alternatives of https only",
    ),
]

SCRIPTS = [
    Case("fetch", "<script>T.forEach(url => fetch(url).catch(() => 0))</script>"),
    Case(
        "fetch with POST", "<script>T.forEach(url => fetch(url, {method: 'POST', body: 'x'}).catch(() => 0))</script>"
    ),
    Case("fetch without CORS", "<script>T.forEach(url => fetch(url, {mode: 'no-cors'}).catch(() => 0))</script>"),
    Case(
        "fetch with a preflight",
        "<script>T.forEach(url => fetch(url, {method: 'PUT', headers: {'x-y': '1'}}).catch(() => 0))</script>",
    ),
    Case(
        "fetch that outlives the page",
        "<script>T.forEach(url => fetch(url, {keepalive: true, mode: 'no-cors'}).catch(() => 0))</script>",
    ),
    Case(
        "fetch at other ports",
        "<script>for (const port of [22, 25, 443, 2375, 3306, 5432, 6379, 8000, 8443, 9200, 11211, 65535]) fetch(`http://@PRIVATE@:${port}/`, {mode: 'no-cors'}).catch(() => 0)</script>",
    ),
    Case(
        "fetch that names the kind of address",
        "<script>T.forEach(url => fetch(url, {targetAddressSpace: 'private', mode: 'no-cors'}).catch(() => 0)); fetch('http://@LOOPBACK@/', {targetAddressSpace: 'loopback'}).catch(() => 0)</script>",
    ),
    Case(
        "fetch that is redirected",
        "<script>for (const status of [301, 302, 303, 307, 308]) T.forEach(url => fetch(`/redirect/${status}/?to=${encodeURIComponent(url)}`, {mode: 'no-cors'}).catch(() => 0))</script>",
    ),
    Case("an image that is redirected", '<img src="/redirect/302/?to=@T@">'),
    Case(
        "a script that is redirected thrice",
        '<script src="/redirect/301/?to=%{/redirect/307/?to=%{/redirect/308/?to=http://@PRIVATE@/x.js}%}%"></script>',
    ),
    Case(
        "XMLHttpRequest",
        "<script>T.forEach(url => { const x = new XMLHttpRequest(); x.open('GET', url); x.send() })</script>",
    ),
    Case(
        "XMLHttpRequest that waits",
        "<script>T.forEach(url => { try { const x = new XMLHttpRequest(); x.open('GET', url, false); x.send() } catch {} })</script>",
    ),
    Case("a beacon", "<script>T.forEach(url => navigator.sendBeacon(url, 'x'))</script>"),
    Case(
        "a fetch for later",
        "<script>if (window.fetchLater) T.forEach(url => fetchLater(url, {activateAfter: 0}))</script>",
        held="Chromium fetches later from https only",
    ),
    Case("an event source", "<script>T.forEach(url => new EventSource(url))</script>"),
    Case("a WebSocket", "<script>W.forEach(url => new WebSocket(url))</script>"),
    Case("a WebSocket with TLS", "<script>W.forEach(url => new WebSocket(url.replace('ws:', 'wss:')))</script>"),
    Case(
        "a stream of WebSockets",
        "<script>if (window.WebSocketStream) W.forEach(url => new WebSocketStream(url).opened.catch(() => 0))</script>",
        held="Chromium has no WebSocketStream yet",
    ),
    Case("a WebSocket in a frame", "<iframe srcdoc=\"<script>new WebSocket('@W@')</script>\"></iframe>"),
    Case("a worker", f"<script>new Worker(URL.createObjectURL(new Blob([`{_IN_WORKER}`])))</script>"),
    Case(
        "a worker that imports scripts",
        "<script>new Worker(URL.createObjectURL(new Blob([`for (const url of @TARGETS@) try { importScripts(url) } catch {}`])))</script>",
    ),
    Case("a worker from a file", "<script>new Worker('/@CASE@/extra.js')</script>", extra=_IN_WORKER),
    Case("a shared worker", "<script>new SharedWorker('/@CASE@/extra.js')</script>", extra=_IN_WORKER),
    Case(
        "a worklet",
        "<script>new OfflineAudioContext(1, 1, 44100).audioWorklet?.addModule(T[0]); T.forEach(url => CSS.paintWorklet?.addModule(url).catch(() => 0))</script>",
        held="Chromium has worklets on https only",
    ),
    Case("WebRTC that asks a private STUN server", _STUN % "{urls: 'stun:@PRIVATE@:@STUN@'}"),
    Case("WebRTC that asks a public STUN server", _STUN % "{urls: 'stun:@UDP@'}"),
    Case("WebRTC that asks a STUN server by name", _STUN % "{urls: 'stun:@NAMED@:@STUN@'}"),
    Case(
        "WebRTC that asks a TURN server by UDP",
        _STUN % "{urls: 'turn:@PRIVATE@:@STUN@', username: 'x', credential: 'x'}",
    ),
    Case(
        "WebRTC that asks a TURN server by TCP",
        _STUN
        % "{urls: ['turn:@PRIVATE@:@STUN@?transport=tcp', 'turns:@PRIVATE@:443?transport=tcp'], username: 'x', credential: 'x'}",
    ),
    Case("WebRTC that calls a private peer", _FAR_PEER),
    Case("a lazy image that comes into view", '<img loading="lazy" style="height: 9px" src="@T@">'),
    Case(
        "what comes after the load event",
        "<script>addEventListener('load', () => later(() => T.forEach(url => new Image().src = url), 300))</script>",
    ),
    Case(
        "a form in a frame",
        '<iframe name="into@T@"></iframe><form target="into@T@" method="post" action="@T@"><input name="x"></form><script>document.forms[document.forms.length - 1].submit()</script>',
    ),
    Case(
        "a page that writes itself anew",
        "<script>addEventListener('load', () => { document.open(); document.write(T.map(url => `<img src=${url}>`).join('') + '<p id=done>'); document.close() })</script>",
    ),
]

NAVIGATIONS = [
    *(
        Case(
            f"a refresh to {kind}",
            f'<meta http-equiv="refresh" content="0;url=http://@{word}@/">',
            hears=SETTLED,
            stays=False,
        )
        for kind, word in (("a private address", "PRIVATE"), ("loopback", "LOOPBACK"), ("link-local", "LINK"))
    ),
    *(
        Case(
            f"a script that goes to {kind}",
            f"<script>location = 'http://@{word}@/'</script>",
            hears=SETTLED,
            stays=False,
        )
        for kind, word in (
            ("a private address", "PRIVATE"),
            ("a private name", "NAMED"),
            ("loopback", "LOOPBACK"),
            ("this machine", "OWN"),
        )
    ),
    Case(
        "a script that goes on late",
        "<script>later(() => location = 'http://@PRIVATE@/', 400)</script>",
        hears=SETTLED,
        stays=False,
    ),
    Case(
        "a script that is redirected",
        "<script>location = '/redirect/302/?to=%{http://@PRIVATE@/}%'</script>",
        hears=SETTLED,
        stays=False,
    ),
    Case("a Refresh header", headers=("Refresh: 0; url=http://@PRIVATE@/",), hears=SETTLED, stays=False),
    Case(
        "a form",
        '<form method="post" action="http://@PRIVATE@/"></form><script>document.forms[0].submit()</script>',
        hears=SETTLED,
        stays=False,
    ),
    Case(
        "a frame that moves the page",
        "<iframe srcdoc=\"<script>top.location = 'http://@PRIVATE@/'</script>\"></iframe>",
        hears=SETTLED,
        stays=False,
    ),
    Case(
        "a window of its own",
        "<script>T.forEach(url => open(url))</script>",
        held="Chromium blocks windows that nobody asked for",
    ),
    Case(
        "a click on a link",
        '<a id="way" href="http://@PRIVATE@/">on</a>',
        options={"actions": _CLICK},
        hears=SETTLED | {422},
        stays=False,
    ),
    Case(
        "a click on a link to a new window",
        '<a id="way" target="_blank" href="http://@PRIVATE@/">on</a>',
        options={"actions": _CLICK},
        held="Chromium makes no second window",
    ),
    Case(
        "a click on a button that opens a window",
        """<button id="way" onclick="T.forEach(url => window.open(url))">on</button>""",
        options={"actions": _CLICK},
        held="Chromium makes no second window",
    ),
    Case(
        "a click on a link with a ping",
        '<a id="way" ping="http://@PRIVATE@/ http://@LOOPBACK@/" href="#here">on</a>',
        options={"actions": _CLICK},
        held="Chromium was told to send no pings",
    ),
    Case(
        "a click on a download",
        '<a id="way" download href="http://@PRIVATE@/">on</a>',
        options={"actions": _CLICK},
        hears=SETTLED,
        stays=False,
    ),
    Case(
        "a form that is typed into and sent",
        '<form action="http://@PRIVATE@/"><input id="way"></form>',
        options={
            "actions": [
                {"type": "type", "selector": "#way", "text": "x\n"},
                {"type": "wait", "ms": 500, "optional": True},
            ]
        },
        hears=SETTLED | {422},
        stays=False,
    ),
]

CALLERS = [
    Case(
        "a style of the caller's",
        "<p>x",
        options={"customCss": "p { background: url(http://@PRIVATE@/) } body { background: url(http://@LOOPBACK@/) }"},
    ),
    Case(
        "an imported style of the caller's",
        "<p>x",
        options={"customCss": "@import 'http://@PRIVATE@/x.css';"},
        held="a constructed style sheet imports nothing",
    ),
    Case(
        "headers and cookies for a private host",
        '<img src="http://@PRIVATE@/x.png">',
        options={
            "session": {
                "cookies": [{"name": "a", "value": "b", "domain": "@PRIVATE@"}],
                "headers": [{"name": "X-A", "value": "b", "origin": "http://@PRIVATE@"}],
            }
        },
    ),
    Case(
        "storage of a private origin",
        "<p>x",
        options={"session": {"origins": [{"origin": "http://@PRIVATE@", "localStorage": {"a": "b"}}]}},
        held="storage is written without a connection",
    ),
    Case("a PDF of a page with frames", '<iframe src="@T@"></iframe>', options={"format": "pdf"}),
    Case("a full page", '<div style="height: 3000px"></div><img loading="lazy" src="@T@">', options={"fullPage": True}),
    Case(
        "a page as Markdown",
        '<img src="@T@"><a href="@T@">x</a>',
        options={"outputs": [{"type": "markdown"}, {"type": "html"}]},
    ),
]
