// Feels the pulse of a page that is to come to rest, and puts to its end what style sheets move. OBSERVE is observe.js,
// FINISH finish_animations.js.
// Takes the seconds within which an end of an animation is near.
// Returns whether settle.js was in this document; for how many seconds it has not changed; how many timers were ever
// set, ours included; whether fonts or images of the window are to come, animations run that a library ends, the page
// hides itself; whether changes can be hidden from us; how many elements it has, how high
// it is, and how far it is scrolled.
(near) => {
  const seen = OBSERVE();
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  seen.own += 1;
  const roots = [...seen.roots];
  for (const frame of document.querySelectorAll("iframe"))
    try {
      if (frame.contentDocument) roots.push(frame.contentDocument);
    } catch {}
  const { running } = FINISH(roots, near);
  const body = document.body;
  const inWindow = (image) => {
    if (!image.checkVisibility()) return false;
    const box = image.getBoundingClientRect();
    return box.bottom >= 0 && box.top < innerHeight && box.right >= 0 && box.left < innerWidth;
  };
  const custom = 'boolean(//*[contains(local-name(), "-")])';
  const root = document.scrollingElement || document.documentElement;
  return {
    known: seen.settled === true,
    quiet: (performance.now() - seen.changed) / 1000,
    timers: timer - seen.own,
    fonts: document.fonts.status === "loading",
    images: [...document.images].some((image) => !image.complete && inWindow(image)),
    running,
    hidden:
      body !== null &&
      body.childElementCount > 0 &&
      !body.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
    opaque:
      document.querySelector("canvas, iframe, object, embed, frame") !== null ||
      document.evaluate(custom, document, null, XPathResult.BOOLEAN_TYPE, null).booleanValue,
    size: [document.getElementsByTagName("*").length, root ? Math.min(root.scrollHeight, 1e9) : 0, scrollX, scrollY],
  };
};
