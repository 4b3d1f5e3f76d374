// Waits until a page with scripts has drawn something.
// Takes for how many seconds. Returns null if there is nothing to wait for, else whether something was drawn.
async (seconds) => {
  const painted = () => performance.getEntriesByName("first-contentful-paint").length > 0;
  if (painted() || !document.scripts.length) return null;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    await new Promise((done) => setTimeout(done, 25));
    if (painted()) {
      await new Promise((done) => {
        setTimeout(done, 100);
        requestAnimationFrame(() => requestAnimationFrame(done));
      });
      return true;
    }
  }
  return false;
};
