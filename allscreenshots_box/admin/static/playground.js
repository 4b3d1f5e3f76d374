"use strict";
// The playground without leaving the page: it tells how long it takes, and can be called off.

{
  const TOLD_SECONDS = 5; // between two words to those who listen
  const told = document.getElementById("told");
  let running = null;

  const show = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("playground");
    if (!fresh) {
      location.reload(); // signed out, most likely: let the server say so
      return;
    }
    document.getElementById("playground").replaceWith(fresh);
    offerCopies(fresh); // page.js
    begin();
    const outcome = document.getElementById("outcome");
    outcome?.focus();
    told.textContent = outcome ? outcome.textContent.trim() : "";
  };

  const count = (elapsed) => {
    const begun = performance.now();
    let last = 0;
    return setInterval(() => {
      const seconds = (performance.now() - begun) / 1000;
      elapsed.textContent = `${seconds.toFixed(1)} s`;
      if (seconds - last >= TOLD_SECONDS) {
        last = seconds;
        told.textContent = `Still working, ${Math.round(seconds)} seconds.`;
      }
    }, 100);
  };

  const take = async (form) => {
    const cancel = document.getElementById("cancel"), elapsed = document.getElementById("elapsed");
    running = new AbortController();
    const fields = new URLSearchParams(new FormData(form));
    form.setAttribute("aria-busy", "true");
    cancel.hidden = false;
    told.textContent = "Taking the picture…";
    const counting = count(elapsed);
    try {
      const answer = await fetch(form.action, { method: "POST", body: fields, signal: running.signal });
      if (answer.redirected) {
        location.assign(answer.url);
        return;
      }
      show(await answer.text());
    } catch (error) {
      const text = error.name === "AbortError" ? "Cancelled." : "The box did not answer. Look whether it runs.";
      elapsed.textContent = told.textContent = text;
    } finally {
      clearInterval(counting);
      running = null;
      form.removeAttribute("aria-busy");
      cancel.hidden = true;
    }
  };

  const begin = () => {
    const form = document.getElementById("try");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!running) { take(form); }
    });
    document.getElementById("cancel").addEventListener("click", () => running?.abort());
    const picture = document.getElementById("picture"), download = document.getElementById("download");
    if (picture) {
      download.href = picture.src;
      download.hidden = false;
    }
  };

  begin();
}
