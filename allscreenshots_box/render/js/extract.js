// Reads values of elements, through the prototypes as source.js does.
// Takes fields, of each its name, selector, whether it is of many elements, what to take of them and which attribute;
// how many matches of a field are wanted, and the longest value and the most of all values in characters.
// Returns a value of each field, or a list; or that they are too large in all; or the name of a field whose selector
// cannot be read.
({ fields, most, longest, largest }) => {
  const links = new Set(["href", "src", "action", "formaction", "poster", "data", "cite", "background"]);
  const read = (node, type, name) => Reflect.get(type.prototype, name, node);
  const base = read(document, Node, "baseURI");
  const spaces = (text) =>
    text
      .replaceAll(/[^\S\n]+/g, " ")
      .replaceAll(/ ?\n ?/g, "\n")
      .replaceAll(/\n{3,}/g, "\n\n")
      .trim();
  const absolute = (value) => {
    try {
      return new URL(value, base).href;
    } catch {
      return value;
    }
  };
  const take = (element, { taken, attribute }) => {
    if (taken === "html") return read(element, Element, "innerHTML");
    if (taken === "text") {
      const rendered = element instanceof HTMLElement;
      return spaces((rendered ? read(element, HTMLElement, "innerText") : read(element, Node, "textContent")) ?? "");
    }
    const value = Element.prototype.getAttribute.call(element, attribute);
    return value !== null && links.has(attribute.toLowerCase()) ? absolute(value) : value;
  };
  let size = 0;
  const values = [];
  for (const field of fields) {
    let found;
    try {
      found = field.multiple
        ? [...Document.prototype.querySelectorAll.call(document, field.selector)].slice(0, most)
        : [Document.prototype.querySelector.call(document, field.selector)].filter(Boolean);
    } catch {
      return { invalid: field.name };
    }
    const list = [];
    for (const element of found) {
      const value = take(element, field)?.slice(0, longest) ?? null;
      size += value?.length ?? 0;
      if (size > largest) return { tooLarge: true };
      list.push(value);
    }
    values.push(field.multiple ? list : (list[0] ?? null));
  }
  return { values };
};
