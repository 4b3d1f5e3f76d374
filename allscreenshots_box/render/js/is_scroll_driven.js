// Tells whether something on the page moves as it is scrolled, by its style. Then each window of it is another state.
// Takes nothing. Returns that.
() => document.getAnimations().some((animation) => animation.timeline && animation.timeline !== document.timeline);
