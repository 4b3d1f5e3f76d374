// Scrolls to an element, to the bottom, or by a distance, and lets the page draw.
// Takes a selector or none, a distance in CSS pixels, and whether to go to the bottom. Returns false if no element
// matches.
async ({ selector, y, toBottom }) => {
  if (selector) {
    const element = document.querySelector(selector);
    if (!element) return false;
    element.scrollIntoView({ block: "center", behavior: "instant" });
  } else if (toBottom) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
  else scrollBy({ top: y, behavior: "instant" });
  await new Promise((done) => {
    setTimeout(done, 100);
    requestAnimationFrame(() => requestAnimationFrame(done));
  });
  return true;
};
