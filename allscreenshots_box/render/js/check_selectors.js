// Tells of each selector whether this browser can read it.
// Takes a list of selectors. Returns as many booleans.
(selectors) => {
  const blank = document.createDocumentFragment();
  return selectors.map((selector) => {
    try {
      blank.querySelector(selector);
      return true;
    } catch {
      return false;
    }
  });
};
