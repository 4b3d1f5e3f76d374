// Finds the images that are to come where the window is; one without a size is in it, too, if it is shown at all.
// Takes nothing. Returns their elements.
() =>
  [...document.images].filter((image) => {
    if (image.complete || !image.checkVisibility()) return false;
    const box = image.getBoundingClientRect();
    return box.bottom >= 0 && box.top < innerHeight && box.right >= 0 && box.left < innerWidth;
  });
