// Looks for banners and pop-ups that no selector of the lists has hidden, and hides what it can.
// Takes selectors of banners that are likely and possible on this page, those that are hidden already, whether to look
// for banners and for pop-ups, and how many banners at most.
// Returns the numbers of at most so many of these selectors that show, and how many boxes it has hidden.
// What runs in a page against banners and pop-ups that no selector of the lists has hidden. Three functions: the first
// looks, and deals with what it can; the second says no in a known banner, among the page's own scripts; the third waits
// for that. Only what the first and the third say is listened to: they run beside the page's scripts. Read by consent.py.

({ likely, possible, hidden, banners, popups, most }) => {
  const LONGEST = 4000; // characters; what says more is not a banner
  const COOKIE = /cookie|gdpr|dsgvo|rgpd|einwilligung|consentement|consentimiento|consenso|your (privacy|consent)/i;
  const ANSWER =
    /^\W*(accept|agree|allow|reject|decline|deny|refuse|consent|got it|ok(ay)?\b|i understand|akzept|ablehn|zustimm|einverst|alle[sn]? |nur |accepte|refus|tout |continuer sans|acept|rechaz|permit|accett|rifiut|rejeit|aceit|accepteer|weiger|akkoord|godk|afvis|avvisa|hyv[aä]ks|zgadz|akcept|odrzu|souhlas|odm[ií]t)/i;
  const LETTER =
    /newsletter|subscribe|sign.?up|mailing list|% off|discount|join (us|our|the)|abonnieren|anmelden|inscri|suscr|iscriv/i;
  const POINTS = [
    [0.5, 0.5],
    [0.5, 0.97],
    [0.5, 0.03],
    [0.1, 0.95],
    [0.9, 0.95],
  ]; // of the window; the middle first
  const shown = (element) => {
    const { width, height } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return width > 1 && height > 1 && style.visibility === "visible" && style.opacity !== "0";
  };
  const textOf = (element) => (element.innerText || element.shadowRoot?.textContent || "").trim();
  const inside = (element, selector) => [
    ...element.querySelectorAll(selector),
    ...(element.shadowRoot?.querySelectorAll(selector) ?? []),
  ];
  const hide = (element) => element.style.setProperty("display", "none", "important");
  const overlayAt = (x, y) => {
    let found = null;
    let element = document.elementFromPoint(x * innerWidth, y * innerHeight);
    for (; element && element !== document.body && element !== document.documentElement;) {
      if (getComputedStyle(element).position === "fixed") found = element;
      element = element.parentElement ?? element.getRootNode().host;
    }
    return found;
  };

  const isBanner = (element) => {
    if (/^(header|nav|main|aside)$/i.test(element.tagName) || element.querySelector("nav, main, article")) return false;
    const text = textOf(element);
    return (
      text.length > 20 &&
      text.length < LONGEST &&
      COOKIE.test(text) &&
      inside(element, "button, a, [role=button], input[type=button], input[type=submit]").some((button) =>
        ANSWER.test(button.innerText || button.value || button.textContent || ""),
      )
    );
  };
  const isLetter = (element) => {
    if (element.querySelector("nav, main, article, input[type=password]")) return false;
    const text = textOf(element);
    return (
      text.length < 1500 &&
      LETTER.test(text) &&
      inside(element, "input[type=email], input[name*=email i]").length > 0 &&
      document.body.innerText.length > 2 * text.length // or it is what the page is for
    );
  };
  const isBackdrop = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return (
      width > 0.95 * innerWidth &&
      height > 0.95 * innerHeight &&
      !textOf(element) &&
      !element.querySelector("img, video, canvas, iframe, svg, object") &&
      getComputedStyle(element).backgroundImage === "none"
    );
  };

  const matches = (selector) => {
    try {
      return [...document.querySelectorAll(selector)].slice(0, 20);
    } catch {
      return []; // a selector that this browser does not know
    }
  };
  const overlays = innerWidth && document.body ? POINTS.map(([x, y]) => overlayAt(x, y)) : [];
  // The possible ones name no class or id: each is matched against every element, so only if something lies on top.
  const candidates = overlays.some(Boolean) ? [...likely, ...possible] : likely;
  const known = candidates.flatMap((selector, index) => (matches(selector).some(shown) ? [index] : [])).slice(0, most);
  if (known.length)
    globalThis.answered = new Promise((done) =>
      document.addEventListener("box-answered", () => done(true), { once: true }),
    );

  let gone = 0;
  for (const [index, overlay] of known.length ? [] : overlays.entries()) {
    if (overlay && ((banners && isBanner(overlay)) || (popups && index === 0 && isLetter(overlay)))) {
      hide(overlay);
      gone += 1;
    }
  }
  const floats = (element) =>
    [element, ...element.querySelectorAll("*")]
      .slice(0, 30)
      .some((one) => one.tagName === "DIALOG" || getComputedStyle(one).position === "fixed");
  const roots = [document.documentElement, document.body].filter(Boolean);
  const locked = roots.filter((root) => {
    const style = getComputedStyle(root);
    return /hidden|clip/.test(style.overflowY) || style.position === "fixed";
  });
  const shade = overlayAt(0.5, 0.5);
  if (gone || ((locked.length || shade) && hidden.some((selector) => matches(selector).some(floats)))) {
    if (shade && isBackdrop(shade)) hide(shade);
    for (const root of locked) {
      root.style.setProperty("overflow", "visible", "important");
      if (getComputedStyle(root).position === "fixed") root.style.setProperty("position", "static", "important");
    }
  }
  return { known, gone };
};
