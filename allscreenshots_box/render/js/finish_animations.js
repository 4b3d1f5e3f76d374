// Takes all animations to their ends that have one, so that what fades in is there.
// Takes nothing. Returns nothing.
() => {
  for (const animation of document.getAnimations())
    try {
      const timing = animation.effect && animation.effect.getComputedTiming();
      if (timing && timing.endTime !== Infinity) animation.finish();
    } catch {}
};
