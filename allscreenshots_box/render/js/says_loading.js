// Says whether something in the window tells a reader that there is more to come: an element that calls itself busy, a
// skeleton or a spinner and looks like one, something small that turns for ever, or a few words; or whether a service
// worker is about to take the page over.
// Takes nothing: it looks where observe.js did. Returns whether there is.
async () => {
  const MOST = 200; // elements of each kind that are looked at
  const SAYS =
    /loading|please wait|one moment|^wait|lädt|wird geladen|laden|chargement|cargando|caricamento|carregando|ładowanie|загруз|読み込|加载|載入|로딩|불러오는/i;
  const NAMES = new Set(
    "loading loader preloader preload spinner spin skeleton shimmer pulse throbber busy ghost bouncer".split(" "),
  );
  const BONES = new Set(["skeleton", "shimmer", "ghost"]); // that neither move nor say anything, some of them
  const OVER = new Set("loaded done complete completed finished hidden hide off inactive ready success".split(" "));
  const MOST_NAMED = 5000; // elements whose names are read
  const LONGEST_NAME = 500; // characters; those of spinners are shorter
  const CALLED = /load|spin|skeleton|shimmer|pulse|throbber|busy|ghost|bouncer/i;
  const read = (element, name) => Element.prototype.getAttribute.call(element, name) || ""; // a form has fields of any name
  const shown = (element) => {
    const { width, height, top, bottom, left, right } = element.getBoundingClientRect();
    const inside = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    return width > 1 && height > 1 && inside && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const turns = (animation) => {
    try {
      if (animation.playState !== "running" || !(animation.effect.getComputedTiming().endTime === Infinity)) return false;
      return animation.timeline === document.timeline;
    } catch {
      return false;
    }
  };
  const moves = (element) =>
    element.getAnimations({ subtree: true }).some(turns) ||
    element.querySelector("animate, animateTransform, img, progress") !== null;
  const words = (element) => {
    const text = element.textContent.slice(0, 1000).trim();
    return text.length <= 60 ? text : null;
  };
  const looks = (element) => {
    const [first, second] = [read(element, "class"), read(element, "id")];
    if (first.length + second.length > LONGEST_NAME) return false;
    const name = `${first} ${second}`;
    if (!CALLED.test(name)) return false;
    const parts = name.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/).map((part) => part.toLowerCase());
    if (!parts.some((part) => NAMES.has(part)) || parts.some((part) => OVER.has(part))) return false;
    const text = words(element);
    if (text === null) return moves(element) && parts.some((part) => BONES.has(part));
    if (SAYS.test(text) || moves(element)) return true;
    return !text && parts.some((part) => BONES.has(part));
  };
  const spins = (animation) => {
    const { target } = animation.effect;
    const { duration } = animation.effect.getComputedTiming();
    if (!target || duration > 3000 || !shown(target)) return false;
    const { width, height } = target.getBoundingClientRect();
    const frames = animation.effect.getKeyframes();
    return Math.max(width, height) <= 200 && frames.some((frame) => /rotate/.test(`${frame.transform} `) || "rotate" in frame);
  };
  const bone = (animation) => {
    const { target } = animation.effect;
    if (!target || animation.effect.getComputedTiming().duration > 3000 || target.textContent.trim() || !shown(target))
      return false;
    const { width, height } = target.getBoundingClientRect();
    return width >= 40 && height >= 8 && target.querySelector("img, svg, canvas, video, input") === null;
  };
  const bones = (animations) => {
    const named = animations.slice(0, MOST).filter((animation) => "animationName" in animation && bone(animation));
    return new Set(named.map((animation) => animation.animationName)).size < named.length; // one by itself may be decoration
  };
  const some = (list, test, most = MOST) => {
    for (let number = 0; number < Math.min(list.length, most); number++) if (test(list[number])) return true;
    return false;
  };
  const settling = (worker) => worker && worker.state !== "activated" && worker.state !== "redundant";
  const kept = navigator.serviceWorker ? await navigator.serviceWorker.getRegistrations().catch(() => []) : [];
  if (kept.some(({ installing, active }) => installing || settling(active))) return true;
  const body = document.body;
  if (body && document.getElementsByTagName("*").length < 200) {
    const text = body.innerText.trim();
    if (text.length <= 60 && SAYS.test(text)) return true;
  }
  for (const root of globalThis.seen.roots) {
    const busy = '[aria-busy="true"], [role="progressbar"]:not([aria-valuenow]), progress:not([value])';
    if (some(root.querySelectorAll(busy), shown)) return true;
    const named = root.querySelectorAll("[class], [id]");
    if (some(named, (element) => looks(element) && shown(element), MOST_NAMED)) return true;
    const endless = root.getAnimations().filter(turns);
    if (some(endless, spins) || bones(endless)) return true;
  }
  return false;
};
