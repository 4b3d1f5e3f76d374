// Brings an element that is not in the window there for a moment, so that it loads what it loads in view.
// Takes its selector, and the seconds to pause in each window of it and to wait for its images. Returns null if there
// was nothing to do, else whether an image was late.
async ({ selector, pause, loading }) => {
  const element = document.querySelector(selector);
  if (!element) return null;
  const box = () => element.getBoundingClientRect();
  if (box().top >= 0 && box().bottom <= innerHeight) return null;
  const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
  const { scrollX: left, scrollY: top } = globalThis;
  const end = performance.now() + loading * 1000;
  element.scrollIntoView({ block: "start", inline: "nearest", behavior: "instant" });
  await sleep(pause);
  while (box().bottom > innerHeight && performance.now() < end) {
    const before = globalThis.scrollY;
    scrollBy({ top: innerHeight, behavior: "instant" });
    await sleep(pause);
    if (globalThis.scrollY === before) break;
  }
  const images = [...(element.matches("img") ? [element] : []), ...element.querySelectorAll("img")];
  const late = () => images.some((image) => !image.complete && image.checkVisibility());
  while (late() && performance.now() < end) await sleep(0.025);
  scrollTo({ left, top, behavior: "instant" });
  return late();
};
