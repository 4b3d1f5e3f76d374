// Takes an option of a select box, by its value or its label, as soon as it is there.
// Takes the selector of the box, the value, and for how many seconds to wait. Returns whether it was taken.
async ({ selector, value, seconds }) => {
  const end = performance.now() + seconds * 1000;
  do {
    const box = document.querySelector(selector);
    const options = box ? [...(box.options || [])] : [];
    const option =
      options.find((one) => one.value === value) || options.find((one) => one.label.trim() === value.trim());
    if (option && !option.disabled && !box.disabled) {
      if (!box.multiple) box.value = option.value;
      option.selected = true;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      box.dispatchEvent(new Event("change", { bubbles: true }));
      return true;
    }
    await new Promise((done) => setTimeout(done, 40));
  } while (performance.now() < end);
  return false;
};
