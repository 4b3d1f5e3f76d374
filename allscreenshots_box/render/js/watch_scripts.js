// Notes whether there ever was a script in the document, which may have removed itself. The browser runs this when the
// document's own world is made: before any of it, or just as its first script begins.
// Takes nothing. Returns nothing: stand_still.js reads what it notes.
globalThis.scripted = document.querySelector("script") !== null;
new MutationObserver((records, observer) => {
  for (const { addedNodes } of records)
    for (const node of addedNodes)
      if (node.nodeName.toLowerCase() === "script" || node.querySelector?.("script")) {
        globalThis.scripted = true;
        observer.disconnect();
      }
}).observe(document, { childList: true, subtree: true });
