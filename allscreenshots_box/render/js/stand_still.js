// Tells whether the page cannot tell a scroll from none: no scripts, nothing that sticks to the window or is only drawn
// in it. Then its pictures need no scrolling to be loaded, and it may be drawn in one piece.
// Takes the seconds to wait for pictures, above which CSS pixel they are wanted, and how many elements may be looked
// at.
// Returns null if it can tell, else whether a picture was late.
async ({ seconds, most, elements }) => {
  const handlers = "[onload], [onscroll], [onwheel], [onanimationstart], [onanimationend], [ontransitionend]";
  if (globalThis.scripted || document.querySelector(`script, iframe, object, embed, ${handlers}`)) return null;
  const all = document.querySelectorAll("*");
  if (all.length > elements || document.getAnimations().length) return null;
  for (const element of all) {
    const style = getComputedStyle(element);
    if (
      style.position === "fixed" ||
      style.position === "sticky" ||
      style.contentVisibility === "auto" ||
      style.backgroundAttachment === "fixed" ||
      element.shadowRoot
    )
      return null;
  }
  const wanted = [...document.images].filter((image) => !image.complete && image.getBoundingClientRect().top < most);
  const loaded = (image) => new Promise((done) => (image.onload = image.onerror = done));
  const waiting = wanted.map((image) => {
    image.loading = "eager";
    return image.complete || loaded(image);
  });
  const late = Symbol("late");
  const timer = new Promise((done) => setTimeout(done, seconds * 1000, late));
  return (await Promise.race([Promise.all(waiting), timer])) === late;
};
