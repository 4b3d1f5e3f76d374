// Work without the document: rows made, sorted, grouped and written as text, as an application's store does.
"use strict";

const rows = (() => {
  const numbers = library.numbers(7);
  const next = () => numbers.next().value >>> 8; // the low bits repeat soon
  const made = Array.from({ length: 40000 }, (_, id) => ({ id, group: next() % 600, weight: next() % 1000 }));
  made.sort((a, b) => a.weight - b.weight || a.id - b.id);
  const groups = new Map();
  for (const row of made) {
    const group = groups.get(row.group) ?? { name: "Group " + row.group, count: 0, weight: 0 };
    group.count += 1;
    group.weight += row.weight;
    groups.set(row.group, group);
  }
  const text = JSON.stringify(made);
  const copy = JSON.parse(text);
  return { groups: [...groups.values()].sort((a, b) => b.weight - a.weight), digest: library.digest(text), copy };
})();
