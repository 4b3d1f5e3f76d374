// Undoes what freeze.js did to fixed elements, and scrolls to the top.
// Takes nothing. Returns nothing.
() => {
  for (const [element, { visibility, transition }] of globalThis.frozen || []) {
    element.style.visibility = visibility;
    element.style.transition = transition;
  }
  globalThis.frozen = undefined;
  scrollTo({ top: 0, behavior: "instant" });
};
