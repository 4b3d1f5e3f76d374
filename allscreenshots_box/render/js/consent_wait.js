// Waits for the end that consent_buttons.js listens for.
// Takes the milliseconds for it. Returns whether it came.
(milliseconds) =>
  Promise.race([globalThis.answered, new Promise((done) => setTimeout(done, milliseconds, false))]).then(Boolean);
