// Waits until an element is there.
// Takes its selector, and for how many seconds to wait. Returns whether it came.
async ({ selector, seconds }) => {
  const end = performance.now() + seconds * 1000;
  while (!document.querySelector(selector)) {
    if (performance.now() > end) return false;
    await new Promise((done) => setTimeout(done, 50));
  }
  return true;
};
