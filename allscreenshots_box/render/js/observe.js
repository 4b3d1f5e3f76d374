// Begins to note when the document changes, shadow trees included, in the world that is ours; again, in those shadow
// trees that have come since.
// Takes nothing. Returns what was noted: when the document changed last, on the page's clock, the document with its open
// shadow trees, and whether it has what may change unseen: canvases, frames, closed shadow trees.
() => {
  const MOST_ELEMENTS = 20_000; // of a tree, that are looked through for shadow trees
  const MOST_TREES = 500;
  const seen = (globalThis.seen ||= { changed: performance.now(), fresh: true, own: 0, roots: new Set([document]) });
  if (!seen.observer)
    seen.observer = new MutationObserver(() => {
      seen.changed = performance.now();
      seen.fresh = true;
    });
  if (!seen.fresh) return seen;
  seen.fresh = false;
  seen.opaque =
    document.querySelector("canvas, iframe, object, embed, frame") !== null ||
    document.evaluate('boolean(//*[contains(local-name(), "-")])', document, null, XPathResult.BOOLEAN_TYPE, null)
      .booleanValue;
  const options = { subtree: true, childList: true, attributes: true, characterData: true };
  for (const root of seen.roots) {
    if (root !== document && !root.isConnected) {
      seen.roots.delete(root);
      continue;
    }
    seen.observer.observe(root, options);
    const all = root.querySelectorAll("*");
    if (all.length > MOST_ELEMENTS) continue;
    for (const element of all) if (element.shadowRoot && seen.roots.size < MOST_TREES) seen.roots.add(element.shadowRoot);
  }
  return seen;
};
