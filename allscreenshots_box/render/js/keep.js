// Keeps a long answer in our own world of the page, and gives it away part by part. FUNCTION is what answers, CUT is
// cut.js.
// Takes what FUNCTION takes. Returns what CUT returns of the beginning.
async (argument) => {
  globalThis.kept = JSON.stringify(await FUNCTION(argument)) ?? "null";
  return CUT(0);
};
