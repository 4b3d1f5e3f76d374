// Finds the element, brings it into view, and waits until it stands still and nothing covers its middle.
// Takes its selector, for how many seconds, and whether it is enough that it is there (bare).
// Returns two numbers, the middle of the element in the window; or why not, in a few words of ours; or of a bare one
// nothing.
async ({ selector, seconds, bare }) => {
  const end = performance.now() + seconds * 1000;
  const frame = () =>
    new Promise((done) => {
      const timer = setTimeout(done, 100);
      requestAnimationFrame(() => {
        clearTimeout(timer);
        done();
      });
    });
  let why = "matched";
  while (performance.now() < end) {
    const element = document.querySelector(selector);
    if (element) {
      if (bare) return {};
      const style = getComputedStyle(element);
      const box = () => element.getBoundingClientRect();
      const at = box();
      if (at.top < 0 || at.left < 0 || at.bottom > innerHeight || at.right > innerWidth)
        element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      const before = box();
      await frame();
      const after = box();
      const x = after.x + after.width / 2;
      const y = after.y + after.height / 2;
      if (!after.width || !after.height || style.visibility !== "visible") why = "became visible";
      else if (before.x !== after.x || before.y !== after.y) why = "stood still";
      else if (element.disabled) why = "was enabled";
      else {
        let top = document.elementFromPoint(x, y);
        while (top && top.shadowRoot && top !== element) {
          const inner = top.shadowRoot.elementFromPoint(x, y);
          if (!inner || inner === top) break;
          top = inner;
        }
        const label = top && top.closest("label");
        if (
          top &&
          (element.contains(top) ||
            (top.contains(element) &&
              top === element.parentElement &&
              getComputedStyle(element).pointerEvents === "none") ||
            (label && label.control === element))
        )
          return { x, y };
        why = "could be reached, something covers it";
      }
    }
    await new Promise((done) => setTimeout(done, 40));
  }
  return { why };
};
