// The filter box completes keys and values: a combobox, as WAI-ARIA describes it.
"use strict";

{
  const WAIT = 60;
  const box = find("#q[data-complete]");
  const list = document.createElement("ul");
  let options = [], at = -1, timer = 0, asking = null;

  const isOpen = () => !list.hidden;

  const close = () => {
    clearTimeout(timer);
    if (asking) asking.abort();
    list.hidden = true;
    at = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };

  const mark = (to) => {
    at = to;
    Array.from(list.children).forEach((item, number) => {
      item.setAttribute("aria-selected", String(number === at));
      if (number === at) item.scrollIntoView({ block: "nearest" });
    });
    if (at < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", list.children[at].id);
  };

  const makeItem = (option, number) => {
    const item = document.createElement("li");
    item.id = "q-option-" + number;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const word = document.createElement("span");
    word.className = "mono";
    for (const [text, name] of option.word) {
      if (!name) { word.append(text); continue; }
      const sign = document.createElement("span");
      sign.className = "hidden-character";
      sign.title = name;
      sign.textContent = text;
      word.append(sign);
    }
    item.append(word);
    if (option.hint) {
      const hint = document.createElement("span");
      hint.className = "dim";
      hint.textContent = option.hint;
      item.append(" ", hint);
    }
    item.addEventListener("pointerdown", (event) => event.preventDefault());
    item.addEventListener("click", () => accept(number));
    return item;
  };

  const show = (found) => {
    options = found;
    list.replaceChildren(...found.map(makeItem));
    list.hidden = found.length === 0;
    box.setAttribute("aria-expanded", String(isOpen()));
    mark(-1);
    if (isOpen()) announce(found.length + (found.length === 1 ? " proposal" : " proposals"));
  };

  const ask = async () => {
    if (asking) asking.abort();
    asking = new AbortController();
    const address = new URL(box.dataset.complete, location.href);
    address.searchParams.set("text", box.value.slice(0, box.selectionStart));
    try {
      const answer = await fetch(address, { signal: asking.signal });
      const found = answer.ok ? await answer.json() : [];
      if (document.activeElement === box) show(found);
    } catch { /* an answer that nobody waits for any more, or no network */ }
  };

  const plan = () => { clearTimeout(timer); timer = setTimeout(ask, WAIT); };

  function accept(number) {
    const rest = box.value.slice(box.selectionStart);
    const text = options[number].text;
    const isUnfinished = /[:.]$/.test(text);
    const gap = isUnfinished || rest.startsWith(" ") ? "" : " ";
    box.value = text + gap + rest;
    box.setSelectionRange(text.length + gap.length, text.length + gap.length);
    close();
    if (isUnfinished) plan();
  }

  const move = (step) => {
    if (!isOpen()) { ask(); return; }
    const count = options.length + 1; // none is marked between the last and the first
    mark((at + 1 + step + count) % count - 1);
  };

  list.id = "q-options";
  list.className = "options";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Proposals");
  box.after(list);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");

  box.addEventListener("input", plan);
  box.addEventListener("blur", close);
  box.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0 && !event.shiftKey) {
      event.preventDefault();
      accept(at);
    } else if (event.key === "Escape" && isOpen()) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
}
