// Work on the document: 600 cards of five elements, then measured and marked one by one, as a layout script does.
"use strict";

const { element } = library;
const board = document.getElementById("board");

for (const group of rows.groups) {
  const hue = library.digest(group.name) % 360;
  const bar = element("i", { style: `width: ${(group.weight / 500).toFixed(1)}%` });
  board.append(
    element("div", { class: "card", style: `color: hsl(${hue} 60% 40%)` },
      element("b", {}, group.name), element("span", {}, `${group.count} rows, `), element("em", {}, `${group.weight}`), bar),
  );
}

[...board.children].forEach((card, place) => {
  if (place % 25 === 0 && card.getBoundingClientRect().height > 40) card.classList.add("tall");
});
document.getElementById("sum").textContent = `${rows.copy.length} rows, ${rows.groups.length} groups, ${rows.digest}`;
