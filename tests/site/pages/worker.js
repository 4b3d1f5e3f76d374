// What /worker.html registers: answers every page of the site in red.
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const red = "<!doctype html><style>html { background: rgb(255, 0, 0) }</style>";
  event.respondWith(new Response(red, {headers: {"Content-Type": "text/html"}}));
});
