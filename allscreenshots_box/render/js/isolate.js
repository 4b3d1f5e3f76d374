// Hides everything but one element and what it is in.
// Takes its selector. Returns whether it is there.
(selector) => {
  const wanted = document.querySelector(selector);
  if (!wanted) return false;
  for (let one = wanted; one && one !== document.documentElement; one = one.parentElement)
    for (const other of one.parentElement.children)
      if (other !== one && other !== document.head) other.style.setProperty("display", "none", "important");
  return true;
};
