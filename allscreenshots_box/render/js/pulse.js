// Feels the pulse of a page that is to come to rest, and puts to its end what style sheets move. OBSERVE is observe.js,
// FINISH finish_animations.js, LATE late_images.js.
// Takes the seconds within which an end of an animation is near.
// Returns whether settle.js was in this document; for how many seconds it has not changed; how many timers and frames were ever
// asked for by others; whether fonts or images of the window are to come, animations run that a library ends, the page
// hides itself; whether it has frames of other origins; whether changes can be hidden from us; how many elements it has, how high
// it is, and how far it is scrolled.
(near) => {
  const seen = OBSERVE();
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  const frame = requestAnimationFrame(() => {});
  cancelAnimationFrame(frame);
  seen.own += 2;
  const roots = [...seen.roots];
  let foreign = false;
  for (const inner of document.querySelectorAll("iframe"))
    if (inner.contentDocument) roots.push(inner.contentDocument);
    else foreign = foreign || inner.checkVisibility();
  const { running } = FINISH(roots, near);
  // What moves by SMIL and ends; the browser tells of that nowhere else.
  const moves = (element) => {
    try {
      const times = element.getAttribute("repeatCount") || 1;
      const length = times === "indefinite" ? Infinity : element.getSimpleDuration() * times;
      const left = element.getStartTime() + length - element.ownerSVGElement.getCurrentTime();
      return left > 0 && left < near;
    } catch {
      return false;
    }
  };
  const body = document.body;
  const root = document.scrollingElement || document.documentElement;
  return {
    known: seen.settled === true,
    quiet: (performance.now() - seen.changed) / 1000,
    timers: timer + frame - seen.own,
    fonts: roots.some(({ fonts }) => fonts?.status === "loading"),
    images: LATE().length > 0,
    running: running || [...document.querySelectorAll("animate, animateTransform, animateMotion")].slice(0, 1000).some(moves),
    hidden:
      body !== null &&
      body.childElementCount > 0 &&
      !body.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
    foreign,
    opaque: seen.opaque,
    size: [document.getElementsByTagName("*").length, root ? Math.min(root.scrollHeight, 1e9) : 0, scrollX, scrollY],
  };
};
