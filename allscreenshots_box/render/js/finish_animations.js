// Takes animations of style sheets to their ends, so that what fades in is there. Only those that time alone drives,
// that run, and whose end is near: what a reader stops, scrolls or sees go round for ever keeps the state that it has,
// and what a library runs ends by itself, for the library counts on that.
// Takes the documents and shadow roots to look in, and the seconds within which an end is near.
// Returns whether something was taken to its end, and whether what a library runs is still to end.
(roots, near) => {
  const told = { moved: false, running: false };
  for (const root of roots)
    for (const animation of root.getAnimations())
      try {
        const clock = (root.ownerDocument || root).timeline;
        const { endTime } = animation.effect.getComputedTiming();
        const rate = animation.playbackRate;
        if (animation.timeline !== clock || animation.playState !== "running" || rate <= 0) continue;
        if (!((endTime - (animation.currentTime || 0)) / rate <= near * 1000)) continue;
        if ("animationName" in animation || "transitionProperty" in animation) {
          animation.finish();
          told.moved = true;
        } else told.running = true;
      } catch {}
  return told;
};
