// What the pages do beyond links and forms. Texts only ever become text nodes.
"use strict";

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const announce = (text) => { find("[data-announce]").textContent = text; };

// Times

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";

const toMinute = { hour12: false, hour: "2-digit", minute: "2-digit" };

function showDay(when, text, isDated) {
  const isToday = when.toDateString() === new Date().toDateString();
  return isToday && !isDated ? text : when.toLocaleDateString("sv") + " " + text;
}

function showLocalTimes(root) {
  for (const time of findAll("time[datetime]", root)) {
    const when = new Date(time.dateTime);
    if (Number.isNaN(when.valueOf())) continue;
    const seconds = when.toLocaleTimeString([], { hour12: false });
    const exact = "second" in time.dataset ? seconds : seconds + "." + String(when.getMilliseconds()).padStart(3, "0");
    const clock = "minute" in time.dataset ? when.toLocaleTimeString([], toMinute) : exact;
    time.textContent = showDay(when, clock, "date" in time.dataset);
    time.title = when.toString() + " · " + time.dateTime;
  }
  // Texts that hold no elements: options and titles
  for (const one of findAll("[data-utc]", root)) {
    one.textContent = one.textContent.replace(/(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g, (_, day, clock) => {
      const when = new Date(day + "T" + clock + "Z");
      return showDay(when, when.toLocaleTimeString([], when.getSeconds() ? { hour12: false } : toMinute));
    });
  }
}

showLocalTimes(document);
find("[data-zone]").textContent = "Times in " + zone;

// Copying

async function copyFrom(link) {
  const answer = await fetch(link.href, { headers: { Accept: "text/plain" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.slice(0, 200));
  if (window.isSecureContext && navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    announce(link.textContent.trim() + ": copied");
  }
  showText(link.textContent.trim().replace("Copy as ", ""), text);
}

function showText(title, text) {
  let sheet = find("#text");
  if (sheet === null) {
    sheet = document.createElement("dialog");
    sheet.id = "text";
    sheet.className = "sheet";
    const header = document.createElement("header");
    const heading = document.createElement("h2");
    heading.id = "text-title";
    sheet.setAttribute("aria-labelledby", heading.id);
    const close = document.createElement("button");
    close.className = "button small";
    close.textContent = "Close";
    close.addEventListener("click", () => sheet.close());
    header.append(heading, close);
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    sheet.append(header, pre);
    document.body.append(sheet);
  }
  const copied = window.isSecureContext && navigator.clipboard;
  find("h2", sheet).textContent = copied ? title + ", copied" : title + ": select and copy";
  find("pre", sheet).textContent = text;
  sheet.showModal();
  if (!copied) window.getSelection().selectAllChildren(find("pre", sheet));
}

for (const link of findAll("[data-copy]")) {
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    copyFrom(link).catch((error) => showText("Not copied", String(error.message || error)));
  });
}

for (const link of findAll("[data-copy-link]")) {
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const isAllowed = window.isSecureContext && navigator.clipboard;
    if (isAllowed) navigator.clipboard.writeText(link.href).then(() => announce("Link copied"), () => {});
    showText("Link", link.href);
  });
}

// An open menu closes like any other

document.addEventListener("click", (event) => {
  for (const menu of findAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && find("details.menu[open]");
  if (menu) { menu.open = false; find("summary", menu).focus(); }
});

// Range and comparison are chosen at once

for (const choice of findAll("#from, #vs")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// Two marked requests can be compared; without script the page that answers says so

const marks = find("#marks");
function allowComparing() {
  find("[data-marks]", marks).disabled = new FormData(marks).getAll("mark").length !== 2;
}
if (marks !== null) {
  document.addEventListener("change", allowComparing);
  window.addEventListener("pageshow", allowComparing); // a page that comes back has its marks again
}

// A row opens what its link names, unless something else in it was meant, or its text is being selected

document.body.dataset.rowsOpen = "";
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const row = event.target.closest("tbody tr");
  const link = row && find("[data-row]", row);
  if (!link || event.target.closest("a, button, input, label, .mark") || !getSelection().isCollapsed) return;
  link.click();
});

// Panels that take longer than the page: the same HTML that the link beside them opens

const PATIENCE_MS = 5000;
for (const panel of findAll("[data-panel]")) {
  const request = new XMLHttpRequest();
  const giveUp = () => { find("[data-waiting]", panel).textContent = "This takes long."; };
  request.open("GET", panel.dataset.panel);
  request.responseType = "document";
  request.timeout = PATIENCE_MS;
  request.addEventListener("timeout", giveUp);
  request.addEventListener("error", giveUp);
  request.addEventListener("load", () => {
    const body = request.status === 200 && request.response !== null ? find("body > div", request.response) : null;
    if (body === null) { giveUp(); return; }
    const loaded = document.importNode(body, true);
    showLocalTimes(loaded);
    find(".nothing", panel).replaceWith(...loaded.childNodes);
  });
  const waiting = find("[data-waiting]", panel);
  waiting.textContent = waiting.dataset.waiting;
  request.send();
}

// The numbers of users, which take longer than the table

const usersTable = find("[data-users-address]");
function showUsers(textOf) {
  for (const cell of findAll("[data-users]", usersTable)) cell.textContent = textOf(cell.dataset.users);
}
if (usersTable !== null) {
  find("[data-without-script]")?.remove();
  fetch(usersTable.dataset.usersAddress)
    .then((answer) => {
      if (answer.status !== 200) throw new Error("not read in time");
      return answer.json();
    })
    .then((texts) => showUsers((group) => texts[group] ?? "?"))
    .catch(() => showUsers(() => "?"));
}

// The number of new errors, where the page did not count them

const errorsLink = find("[data-new-errors]");
function showNewErrors(count) {
  const badge = document.createElement("span");
  const what = document.createElement("span");
  badge.className = "count";
  badge.textContent = count;
  what.className = "sr";
  what.textContent = " new";
  badge.append(what);
  errorsLink.append(badge);
}
if (errorsLink !== null) {
  fetch(errorsLink.dataset.newErrors)
    .then((answer) => answer.status === 200 ? answer.json() : { count: 0 })
    .then((answer) => { if (answer.count > 0) showNewErrors(answer.count); })
    .catch(() => {}); // the page is as good without it
}

// Keys: never in a field, never with a modifier

const KEYS = "flask-tracking-keys";
let usesKeys = true;
try { usesKeys = localStorage.getItem(KEYS) !== "off"; } catch { /* storage may be forbidden */ }
const keysSwitch = find("[data-keys-switch]");
keysSwitch.checked = usesKeys;
keysSwitch.addEventListener("change", () => {
  usesKeys = keysSwitch.checked;
  try { localStorage.setItem(KEYS, usesKeys ? "on" : "off"); } catch { /* as above */ }
});

let rowAt = -1;
function moveTo(step) {
  const rows = findAll("[data-row]");
  if (rows.length === 0) {
    const link = find(step > 0 ? "[data-older]" : "[data-newer]");
    if (link !== null) link.click();
    return;
  }
  rowAt = Math.min(Math.max(rowAt + step, 0), rows.length - 1);
  rows.forEach((row, at) => row.closest("tr").toggleAttribute("data-current", at === rowAt));
  rows[rowAt].focus();
}

let isGoing = false;
document.addEventListener("keydown", (event) => {
  if (!usesKeys || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (find("dialog[open]") !== null) return;
  const open = (selector) => { const link = find(selector); if (link !== null) link.click(); };
  if (isGoing) {
    isGoing = false;
    const links = findAll(".pages a");
    const letters = (document.body.dataset.keys || "").split("");
    const at = letters.indexOf(event.key);
    if (at >= 0 && links[at]) links[at].click();
    return;
  }
  const actions = {
    "/": () => find("#q").focus(),
    j: () => moveTo(1),
    k: () => moveTo(-1),
    g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
    c: () => open("[data-copy]"),
    l: () => open("[data-live-switch]"),
    "?": () => find("#help").showModal(),
  };
  const action = actions[event.key];
  if (action) { event.preventDefault(); action(); }
});
