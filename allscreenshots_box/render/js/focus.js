// Sets the focus to an element, and the caret to its end or, to clear it, around its text.
// Takes its selector, and whether to clear it. Returns whether it takes text.
({ selector, clear }) => {
  const element = document.querySelector(selector);
  if (!element) return false;
  element.focus();
  if (!clear) {
    if (element.isContentEditable) {
      getSelection().selectAllChildren(element);
      getSelection().collapseToEnd();
    } else
      try {
        element.setSelectionRange(element.value.length, element.value.length);
      } catch {}
  } else if (element.isContentEditable) getSelection().selectAllChildren(element);
  else if (element.select) element.select();
  return Boolean(element.isContentEditable || ("value" in element && !element.readOnly && !element.disabled));
};
