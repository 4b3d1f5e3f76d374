// Fixed elements belong to the window, and the window is drawn many times: those at its bottom are shown in the last
// section, the others in the first. Sticky ones are put where they stand in the text.
// Takes whether this section is the first, and whether it is the last. Returns nothing: thaw.js reads what it keeps.
({ first, last }) => {
  const kept = (globalThis.frozen ||= new Map());
  const walk = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) walk(element.shadowRoot);
      const style = getComputedStyle(element);
      if (style.position === "sticky") {
        element.style.setProperty("position", "relative", "important");
        element.style.setProperty("inset", "auto", "important");
      } else if (style.position === "fixed") {
        const box = element.getBoundingClientRect();
        if (!kept.has(element))
          kept.set(element, {
            bottom: box.height < innerHeight * 0.8 && box.top > innerHeight / 2,
            visibility: element.style.visibility,
            transition: element.style.transition,
          });
      }
    }
  };
  walk(document);
  for (const [element, { bottom, visibility }] of kept) {
    element.style.setProperty("transition", "none", "important");
    if (bottom ? last : first) element.style.visibility = visibility;
    else element.style.setProperty("visibility", "hidden", "important");
  }
};
