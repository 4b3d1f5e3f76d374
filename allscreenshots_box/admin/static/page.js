"use strict";
// Copying, and a button that says that it works. Everything else on the page does without script.

const status = document.createElement("p");
status.className = "unseen";
status.setAttribute("role", "status");
document.body.append(status);

function select(source) {
  if ("select" in source) {
    source.select();
  } else {
    getSelection().selectAllChildren(source);
  }
}

async function copy(source) {
  // navigator.clipboard exists under TLS and on localhost only; elsewhere what is selected is copied.
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    return true;
  } catch {
    select(source);
    return document.execCommand("copy");
  }
}

function offerCopies(within) {
  for (const button of within.querySelectorAll("button[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const copied = await copy(document.getElementById(button.dataset.copy));
      button.textContent = copied ? "Copied" : "Press Ctrl+C";
      status.textContent = copied ? "Copied." : "Selected: press Ctrl+C to copy.";
      setTimeout(() => { button.textContent = label; status.textContent = ""; }, 3000);
    });
  }
}

offerCopies(document);

const working = [];
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (form.hasAttribute("aria-busy")) {
    event.preventDefault(); // a second click sends nothing
  } else if (form.method === "post" && !event.defaultPrevented) {
    form.setAttribute("aria-busy", "true");
    working.push([form, button, button?.textContent]);
    if (button) { button.textContent = "Working…"; }
    status.textContent = "Working…";
  }
});

// Going back shows the page as it was left: let its forms be sent again.
addEventListener("pageshow", () => {
  for (const [form, button, label] of working.splice(0)) {
    form.removeAttribute("aria-busy");
    if (button) { button.textContent = label; }
  }
});
