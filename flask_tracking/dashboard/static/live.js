// The list of requests, live: asks for what was stored since, and never moves what is being read.
"use strict";

{
  const FIRST = 700, LATER = 5000, AFTER_LONG = 5 * 60000, AT_MOST = 60 * 60000;
  const MOST_ROWS = 200, MOST_POSITIONS = 16, ANNOUNCE_EVERY = 5000, NO_ANSWER_AFTER = 10000;
  const REFUSED = [401, 403, 404]; // by us, or by a wall around the app
  const live = find("[data-live]");
  const body = find("table.requests tbody");
  const state = find("[data-live-state]", live);
  const button = find("[data-live-new]", live);
  const again = find("[data-live-again]", live);
  const known = new Set(live.dataset.known.split(" ")); // stored before, if on older pages
  for (const cell of findAll("[data-id]", body || live)) known.add(cell.dataset.id);
  const whole = findAll("template", live).reduce((all, one) => all.set(one.dataset.of, one.content), new Map());
  const positions = new Map(); // in the feed of each process that has answered, the last one last
  let since = live.dataset.since, began = Date.now(), timer = 0, asking = null;
  let waiting = [], count = 0, isGap = false, unsaid = 0, saidAt = 0; // those that wait are the newest of so many

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };

  const isUndisturbed = () => body !== null && body.closest("table").getBoundingClientRect().top >= 0
    && !body.matches(":hover") && !body.contains(document.activeElement) && find("dialog[open]") === null;

  const put = (element, pieces) => {
    element.replaceChildren(...pieces.map(([text, name]) => {
      if (!name) return document.createTextNode(text);
      const mark = document.createElement("span");
      mark.className = "hidden-character";
      mark.title = name;
      mark.textContent = text;
      return mark;
    }));
  };

  const makeRow = (one) => {
    const row = whole.get("row").cloneNode(true).firstElementChild;
    row.classList.toggle("hot", one.kind === "server");
    find("[data-id]", row).dataset.id = one.id;
    const time = find("time", row);
    time.dateTime = time.title = one.time;
    const status = find(".status", row);
    status.className = "status " + one.kind;
    status.replaceChildren(whole.get(one.kind).cloneNode(true), one.status);
    put(find("td.method", row), one.method);
    const link = find("[data-row]", row);
    link.href = one.address;
    put(link, one.path);
    const took = find("data", row);
    took.value = one.ms === null ? "" : one.ms;
    took.textContent = one.took;
    const bar = find(".bar-cell rect:last-child", row);
    const longest = Math.max(1, ...findAll("data", body).map((other) => Number(other.value)));
    bar.setAttribute("width", Math.min(100, 100 * (one.ms || 0) / longest) + "%");
    bar.setAttribute("class", one.is_slow ? "fill-hot" : "fill");
    put(find(".who", row), one.who);
    put(find(".what", row), one.what);
    if (one.is_kept) find(".what", row).append(" ", whole.get("kept").cloneNode(true));
    for (const input of findAll("input", row)) input.value = one.id;
    showLocalTimes(row);
    return row;
  };

  const announceNew = (count) => {
    unsaid += count;
    if (unsaid === 0 || Date.now() - saidAt < ANNOUNCE_EVERY) return;
    announce(unsaid + (unsaid === 1 ? " new request" : " new requests"));
    unsaid = 0;
    saidAt = Date.now();
  };

  const show = () => {
    if (isGap || body === null) { location.reload(); return; }
    const isFocused = document.activeElement === button;
    for (const one of waiting.splice(0).reverse()) body.prepend(makeRow(one));
    count = 0;
    while (body.rows.length > MOST_ROWS) body.rows[body.rows.length - 1].remove();
    button.hidden = true;
    find("[data-about]").textContent = "";
    if (isFocused) body.rows[0].querySelector("[data-row]").focus();
  };

  const take = (answer) => {
    const fresh = answer.rows.filter((one) => !known.has(one.id));
    if (answer.more && fresh.length === answer.rows.length) isGap = true;
    fresh.forEach((one) => known.add(one.id));
    waiting = fresh.concat(waiting).slice(0, MOST_ROWS);
    count += fresh.length;
    since = answer.now;
    goOnFrom(answer.position);
    if (count === 0 && !isGap) return;
    announceNew(fresh.length);
    if (isUndisturbed() && !isGap || body === null) { show(); return; }
    button.hidden = false;
    button.textContent = (isGap ? (count || "") + "+" : count) + " new";
  };

  const goOnFrom = (position) => {
    const [name, number] = position.split(".");
    positions.delete(name);
    positions.set(name, number);
    if (positions.size > MOST_POSITIONS) positions.delete(positions.keys().next().value);
  };

  const makeAddress = () => {
    const address = new URL(live.dataset.live, location.href);
    address.searchParams.set("since", since);
    address.searchParams.set("have", [...positions].map((one) => one.join(".")).join(","));
    return address;
  };

  // Resolves to what to say, and to the pause until the next poll; without a pause there is none
  const ask = async (signal) => {
    const answer = await fetch(makeAddress(), { signal, redirect: "manual" });
    if (REFUSED.includes(answer.status) || answer.type === "opaqueredirect") return ["ended: you have no access any more"];
    if (answer.status !== 200) return [answer.status === 503 ? "the database is away" : "no answer", LATER];
    const rows = await answer.json();
    if (signal.aborted) return ["", LATER];
    take(rows);
    return ["live", isGap ? LATER : rows.again_ms];
  };

  const plan = (after) => { clearTimeout(timer); timer = setTimeout(poll, after); };

  const stop = (text) => { clearTimeout(timer); say(text); again.hidden = false; };

  const cancel = () => { clearTimeout(timer); if (asking) asking.abort(); };

  // One poll at a time: a later one takes the place of one that is still on its way
  async function poll() {
    cancel();
    const age = Date.now() - began;
    if (document.hidden) { say("paused: not in view"); return; }
    if (age > AT_MOST) { stop("stopped after an hour"); return; }
    const mine = asking = new AbortController();
    const limit = setTimeout(() => mine.abort(), NO_ANSWER_AFTER);
    let text = "no answer", pause = LATER;
    try { [text, pause] = await ask(mine.signal); } catch { /* no network, or no JSON: asked again */ }
    clearTimeout(limit);
    if (asking !== mine || document.hidden) return;
    if (pause === undefined) { stop(text); return; }
    say(text);
    plan(age > AFTER_LONG ? LATER : pause);
  }

  document.addEventListener("visibilitychange", () => {
    if (!again.hidden) return;
    if (document.hidden) { cancel(); say("paused: not in view"); }
    else poll();
  });
  window.addEventListener("scroll", () => {
    if (count > 0 && !isGap && isUndisturbed()) show();
  }, { passive: true });
  button.addEventListener("click", () => { show(); window.scrollTo({ top: 0 }); });
  again.addEventListener("click", () => { again.hidden = true; began = Date.now(); poll(); });
  findAll("[data-live-reload]", live).forEach((link) => { link.hidden = true; });
  plan(FIRST);
}
