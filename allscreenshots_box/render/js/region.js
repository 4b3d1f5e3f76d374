// Tells where an element is in its document.
// Takes its selector. Returns null if there is none, else four numbers of CSS pixels.
(selector) => {
  const element = document.querySelector(selector);
  if (!element) return null;
  const { x, y, width, height } = element.getBoundingClientRect();
  return { x: x + scrollX, y: y + scrollY, width, height };
};
