// Tells how large the page is.
// Takes nothing. Returns three numbers of CSS pixels: its width, its height, and the height of its window.
() => {
  const root = document.scrollingElement || document.documentElement;
  return {
    width: Math.max(root.scrollWidth, innerWidth),
    height: Math.max(root.scrollHeight, innerHeight),
    window: innerHeight,
  };
};
