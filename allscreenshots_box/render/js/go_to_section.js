// Goes to a section: scrolls, pauses, and waits for the images in view. OBSERVE is observe.js, FINISH
// finish_animations.js.
// Takes its top in CSS pixels, and the seconds to pause and to wait for images.
// Returns two numbers, how far it really has scrolled and how high the page is, and whether an image was late.
async ({ y, pause, loading, near }) => {
  document.documentElement.style.setProperty("scroll-snap-type", "none", "important");
  scrollTo({ top: y, behavior: "instant" });
  const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  await sleep(pause * 1000);
  const end = performance.now() + loading * 1000;
  const late = () =>
    [...document.images].some((image) => {
      if (image.complete) return false;
      const box = image.getBoundingClientRect();
      return box.bottom > 0 && box.top < innerHeight && box.width > 0;
    });
  while (late() && performance.now() < end) await sleep(25);
  FINISH([...OBSERVE().roots], near);
  const root = document.scrollingElement || document.documentElement;
  return { y: scrollY, height: Math.max(root.scrollHeight, innerHeight), late: late() };
};
