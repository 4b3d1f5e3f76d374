// Gives a part of the answer that keep.js keeps, no character cut in two.
// Takes where the part begins.
// Returns null if nothing is kept, else at most PART characters, where the next part begins, and whether there is one.
(place) => {
  const PART = 131_072; // characters; with all of them escapes, still an ordinary message
  const { kept } = globalThis;
  if (typeof kept !== "string") return null;
  let end = Math.min(place + PART, kept.length);
  const last = kept.charCodeAt(end - 1);
  if (end < kept.length && last >= 0xd800 && last < 0xdc00) end -= 1;
  return [kept.slice(place, end), end, end < kept.length];
};
