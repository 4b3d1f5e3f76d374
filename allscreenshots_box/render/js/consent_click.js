// Says no in banners that autoconsent has rules for, among the page's own scripts, which may have changed what the
// language does. AUTOCONSENT is its bundle.
// Takes the rules, selectors of their banners, and the milliseconds for it.
// Returns nothing, at once, and never fails: consent_wait.js hears of the end.
(rules, selectors, milliseconds) => {
  const sayNo = async () => {
    const end = performance.now() + milliseconds;
    const pause = (span) => new Promise((resolve) => setTimeout(resolve, span));
    const answered = new Promise((resolve) => {
      window.autoconsentSendMessage = (message) => {
        if (message.type === "optOutResult") resolve(message.result);
        if (message.type === "report" && message.state.lifecycle === "nothingDetected") resolve(false);
      };
    });
    (() => {
      AUTOCONSENT;
    })();
    const say = window.autoconsentReceiveMessage;
    for (const name of ["SendMessage", "ReceiveMessage", "Heuristics"]) delete window[`autoconsent${name}`];
    const logs = { lifecycle: false, rulesteps: false, detectionsteps: false, evals: false, errors: false };
    const config = { isMainWorld: true, autoAction: "optOut", enablePrehide: false, detectRetries: 1, logs };
    say({ type: "initResp", config, rules: { autoconsent: rules } });
    const done = await Promise.race([answered, pause(milliseconds).then(() => false)]);
    const left = () =>
      selectors
        .flatMap((selector) => [...document.querySelectorAll(selector)])
        .filter((element) => element.offsetHeight);
    if (done) while (left().length && performance.now() < end) await pause(50);
    const outermost = (element) => {
      let found = element;
      for (let above = element; above && above !== document.body; above = above.parentElement) {
        const fixed = getComputedStyle(above).position === "fixed";
        if (fixed && !above.querySelector("nav, main, article")) found = above;
      }
      return found;
    };
    const stayed = left();
    for (const element of stayed) outermost(element).style.setProperty("display", "none", "important");
  };
  void (async () => {
    try {
      await sayNo();
    } catch {}
    document.dispatchEvent(new Event("box-answered"));
  })();
};
