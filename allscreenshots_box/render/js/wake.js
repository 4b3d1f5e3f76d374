// Scrolls through the page once, so that it loads what it loads in view, and waits for its images.
// OBSERVE is observe.js, FINISH
// finish_animations.js.
// Takes the seconds to pause in each window and for all of it, and down to which CSS pixel. Returns whether an image
// was late.
async ({ pause, seconds, bottom, near }) => {
  const end = performance.now() + seconds * 1000;
  const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const root = document.scrollingElement || document.documentElement;
  for (let y = 0; y < Math.min(root.scrollHeight, bottom) && performance.now() < end; y += innerHeight) {
    scrollTo({ top: y, behavior: "instant" });
    await sleep(pause * 1000);
  }
  scrollTo({ top: 0, behavior: "instant" });
  const late = () =>
    [...document.images].some((image) => !image.complete && image.getBoundingClientRect().top < bottom);
  while (late() && performance.now() < end) await sleep(25);
  FINISH([...OBSERVE().roots], near);
  return late();
};
