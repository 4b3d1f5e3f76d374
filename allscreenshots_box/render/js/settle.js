// All that a simple page needs before its picture, in one round trip: what is hidden, what is still to come (each
// for its budget), animations of style sheets at their end and no caret. HIDE is hide.js, OBSERVE observe.js, FINISH
// finish_animations.js, LATE late_images.js.
// Takes whether to wait for the document as a whole, what to hide, whether a style was just added, the seconds for load, fonts, images
// and frames, those within which an end of an animation is near, and how many names blocking asks for.
// Returns whether the page has scripts or frames, whether it says that it goes elsewhere in a second at most, which of the four were missed, the status of its answer, the first
// LONGEST_URL characters of its address and, if asked, its classes and its ids: as many names of each as asked, none
// longer than LONGEST_NAME, ALL_NAMES characters of them all.
async ({ whole, hidden, dressed, load, fonts, images, frames, near, names }) => {
  const LONGEST_NAME = 100; // characters; those of advertisements are shorter
  const LONGEST_NAMES = 10_000; // characters of an element's classes; with more it is passed over
  const ALL_NAMES = 100_000; // characters
  const LONGEST_URL = 8192; // characters; the page may make of its address what it likes
  const hide = HIDE;
  const finish = FINISH;
  const observe = OBSERVE;
  const seen = observe();
  const missed = [];
  let moved = false;
  const sleep = (seconds) => {
    seen.own += 1;
    return new Promise((done) => setTimeout(done, seconds * 1000));
  };
  const within = async (promise, name, seconds) => {
    const late = Symbol("late");
    if ((await Promise.race([promise, sleep(seconds).then(() => late)])) === late) missed.push(name);
  };
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const heard = (target, event) => new Promise((done) => target.addEventListener(event, done, { once: true }));
  const navigation = performance.getEntriesByType("navigation")[0];
  if (whole && document.readyState === "loading") {
    const told = heard(document, "DOMContentLoaded");
    // What was whole once has been written anew, and may never be said to be whole again.
    if (navigation && navigation.domContentLoadedEventEnd) await within(told, "load", load);
    else await told;
  }
  if (!seen.settled && hidden.length) {
    hide(hidden);
    moved = true;
  }
  if (dressed) {
    document.documentElement?.getBoundingClientRect(); // so that its fonts are asked for
    moved = true;
  }
  seen.settled = true;
  if (document.readyState !== "complete" && !missed.includes("load")) await within(heard(window, "load"), "load", load);
  if (document.fonts.status !== "loaded") {
    await within(document.fonts.ready, "fonts", fonts);
    moved = true;
  }
  const late = LATE();
  if (late.length && !missed.includes("load")) {
    const loaded = (image) => new Promise((done) => (image.onload = image.onerror = done));
    await within(Promise.all(late.map((image) => image.complete || loaded(image))), "images", images);
    moved = true;
  }
  const documents = [document];
  for (const inner of document.querySelectorAll("iframe"))
    try {
      if (inner.contentDocument) documents.push(inner.contentDocument);
    } catch {}
  if (finish([...observe().roots, ...documents.slice(1)], near).moved) moved = true;
  for (const one of documents) {
    let focused = one.activeElement;
    while (focused && focused.shadowRoot && focused.shadowRoot.activeElement)
      focused = focused.shadowRoot.activeElement;
    if (focused && focused !== one.body) focused.style.setProperty("caret-color", "transparent", "important");
  }
  if (moved) await within(frame().then(frame), "frames", frames);
  const scripted = document.scripts.length > 0 || document.querySelector("iframe, animate, animateTransform") !== null;
  const refresh = document.querySelector("meta[http-equiv=refresh i]");
  const told = {
    scripted,
    refreshes: refresh !== null && Number(refresh.content.split(/[;,]/)[0] || 9) <= 1,
    missed,
    status: navigation ? navigation.responseStatus : 0,
    url: location.href.slice(0, LONGEST_URL),
  };
  if (names) {
    const classes = new Set();
    const ids = new Set();
    let room = ALL_NAMES;
    const add = (found, name) => {
      if (!name || name.length > LONGEST_NAME || found.has(name)) return;
      room -= name.length;
      if (room >= 0) found.add(name);
    };
    // A form answers for itself with fields of these names.
    const read = (element, name) => Element.prototype.getAttribute.call(element, name);
    for (const element of document.querySelectorAll("[class], [id]")) {
      if (classes.size + ids.size > names || room < 0) break;
      add(ids, read(element, "id"));
      const text = read(element, "class");
      if (text && text.length <= LONGEST_NAMES) for (const name of text.split(/\s+/)) add(classes, name);
    }
    told.classes = [...classes].slice(0, names);
    told.ids = [...ids].slice(0, names);
  }
  return told;
};
