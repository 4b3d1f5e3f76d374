// Writes the page as HTML. Reads through the prototypes: a form whose field is called "innerHTML" or "baseURI" would
// answer in their place. What is not shown is left out of a copy, in a document where no script runs: the page itself
// must not notice. UNSEEN are elements that no browser shows and a reader wants all the same. A page that shows no word
// keeps all of them.
// Takes how many characters are too many, whether to leave out what is not shown, and the longest address.
// Returns the source, null if that has more than largest characters, and the address that its links are relative to,
// cut one character past the longest.
({ largest, onlyShown, longestUrl }) => {
  const MOST_LOOKS = 50_000; // elements whose style is asked for; a longer page is sent with what it hides
  const UNSEEN = new Set("area base body head link meta param rp source title track".split(" "));
  const read = (node, type, name) => Reflect.get(type.prototype, name, node);
  const write = (node) => XMLSerializer.prototype.serializeToString.call(new XMLSerializer(), node);
  const root = read(document, Document, "documentElement");
  const doctype = read(document, Document, "doctype");
  const find = (node) =>
    (node instanceof Element ? Element : DocumentFragment).prototype.querySelectorAll.call(node, "*");
  const styled = (element) => element instanceof HTMLElement || element instanceof SVGSVGElement;
  const hidden = (element) => {
    const name = read(element, Element, "localName");
    if (name === "noscript") return true;
    return styled(element) && !UNSEEN.has(name) && getComputedStyle(element).display === "none";
  };
  const everything = () => {
    const roots = [];
    const todo = [root];
    while (todo.length) {
      for (const element of find(todo.pop())) {
        const shadow = read(element, Element, "shadowRoot");
        if (!shadow) continue;
        roots.push(shadow);
        todo.push(shadow);
      }
    }
    return Element.prototype.getHTML
      ? Element.prototype.getHTML.call(root, { shadowRoots: roots })
      : read(root, Element, "innerHTML");
  };
  const shown = () => {
    const inert = read(document, Document, "implementation").createHTMLDocument("");
    const copy = inert.importNode(root, true);
    const todo = [[root, copy]];
    let looks = MOST_LOOKS;
    while (todo.length) {
      const [from, to] = todo.pop();
      const elements = find(from);
      const copies = find(to);
      looks -= elements.length;
      if (looks < 0) return null;
      for (let place = 0; place < elements.length; place++) {
        const element = elements[place];
        const shadow = read(element, Element, "shadowRoot");
        if (hidden(element)) {
          Element.prototype.remove.call(copies[place]);
          place += find(element).length;
        } else if (shadow) {
          const template = inert.createElement("template");
          template.setAttribute("shadowrootmode", "open");
          for (const child of read(shadow, Node, "childNodes")) template.content.append(inert.importNode(child, true));
          Element.prototype.prepend.call(copies[place], template);
          todo.push([shadow, template.content]);
        }
      }
    }
    const inner = read(copy, Element, "innerHTML");
    return />\s*[^<\s]/.test(inner.slice(inner.indexOf("<body"))) ? inner : null;
  };
  let source = doctype ? write(doctype) + "\n" : "";
  if (root instanceof HTMLElement) {
    const shell = read(Node.prototype.cloneNode.call(root, false), Element, "outerHTML");
    const end = "</html>";
    const inner = (onlyShown ? shown() : null) ?? everything();
    source += shell.endsWith(end) ? shell.slice(0, -end.length) + inner + end : read(root, Element, "outerHTML");
  } else if (root) {
    source += write(root);
  }
  return {
    source: source.length > largest ? null : source,
    url: read(document, Node, "baseURI").slice(0, longestUrl + 1),
  };
};
