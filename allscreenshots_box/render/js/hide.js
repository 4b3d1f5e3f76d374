// Hides what the selectors match, one by one: no selector can swallow what comes after it. By an adopted sheet: no
// policy of the page can refuse it.
// Takes a list of selectors. Returns nothing.
(hidden) => {
  const sheet = new CSSStyleSheet();
  for (const selector of hidden)
    try {
      const rule = sheet.cssRules[sheet.insertRule("html { display: none !important }", sheet.cssRules.length)];
      rule.selectorText = "#selector-to-come";
      rule.selectorText = selector;
    } catch {}
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
};
