// Hides what the selectors match, and adds a style. One by one: no selector can swallow what comes after it. Adopted:
// no policy of the page can refuse it.
// Takes a list of selectors and a text of CSS. Returns nothing.
({ hidden, css }) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  for (const selector of hidden)
    try {
      const rule = sheet.cssRules[sheet.insertRule("html { display: none !important }", sheet.cssRules.length)];
      rule.selectorText = "#selector-to-come";
      rule.selectorText = selector;
    } catch {}
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
};
