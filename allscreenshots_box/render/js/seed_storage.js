// Puts somebody's values where a page of this origin keeps its own, unless they are there. Runs as each document
// begins.
// Takes the origin, and the values of its local and its session storage. Returns nothing.
({ origin, local, session }) => {
  if (location.origin !== origin) return;
  for (const [area, values] of [
    [localStorage, local],
    [sessionStorage, session],
  ])
    for (const [key, value] of Object.entries(values)) if (area.getItem(key) === null) area.setItem(key, value);
};
