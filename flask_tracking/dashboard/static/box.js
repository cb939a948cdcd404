// A part of the chart of durations: drawn with the pointer or by keys, it leads to its requests.
"use strict";

for (const svg of findAll("svg[data-grid]")) {
  const grid = JSON.parse(svg.dataset.grid);
  const figure = svg.closest("figure");
  const tools = find("[data-box]", figure);
  const column = grid.width / grid.columns;
  const NAMESPACE = svg.namespaceURI, LEAST_MOVE = 4;
  const cells = findAll("[data-n]", svg).map((rect) => ({
    rect,
    at: Math.round(Number(rect.getAttribute("x")) / column),
    row: Math.round((grid.height - Number(rect.getAttribute("y"))) / grid.row) - 1,
    requests: Number(rect.dataset.n),
  }));
  const frame = document.createElementNS(NAMESPACE, "rect");
  let box = null, from = null, isDragging = false, wasDragged = false;

  const within = (number, least, most) => Math.min(Math.max(number, least), most);

  const place = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return {
      at: within(Math.floor(point.x / column), 0, grid.columns - 1),
      row: within(Math.floor((grid.height - point.y) / grid.row), 0, grid.rows - 1),
      isBelow: point.y > grid.height,
    };
  };

  // Of two corners, in columns and rows; below the chart all durations are meant.
  const span = (one, other, isWhole) => ({
    left: Math.min(one.at, other.at), right: Math.max(one.at, other.at) + 1,
    bottom: isWhole ? 0 : Math.min(one.row, other.row),
    top: isWhole ? grid.rows : Math.max(one.row, other.row) + 1,
  });

  const msOf = (row) => grid.low_ms * 2 ** (row / 2);
  const timeOf = (at) => new Date(grid.start + at * grid.seconds * 1000);
  const clock = (time) => time.toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit" });
  for (const text of findAll("[data-time]", svg)) {
    const when = new Date(text.dataset.time);
    text.textContent = "day" in text.dataset ? when.toLocaleDateString("sv").slice(5) : clock(when);
  }
  const round = (ms) => Number(ms.toPrecision(4));
  const words = (ms) => (ms < 1000 ? round(ms) + " ms" : Number((ms / 1000).toPrecision(3)) + " s");
  const isWhole = () => box.bottom === 0 && box.top === grid.rows;

  const count = () => cells.reduce((sum, cell) => sum + (
    cell.at >= box.left && cell.at < box.right && cell.row >= box.bottom && cell.row < box.top
      ? cell.requests : 0), 0);

  const draw = () => {
    frame.setAttribute("x", box.left * column);
    frame.setAttribute("width", (box.right - box.left) * column);
    frame.setAttribute("y", grid.height - box.top * grid.row);
    frame.setAttribute("height", (box.top - box.bottom) * grid.row);
    svg.append(frame);
    const requests = (grid.is_whole ? "" : "at least ") + count().toLocaleString("en") + (count() === 1 ? " request" : " requests");
    const times = clock(timeOf(box.left)) + "–" + clock(timeOf(box.right));
    const durations = isWhole() ? "" : ", " + words(msOf(box.bottom)) + "–" + words(msOf(box.top));
    find("output", tools).textContent = requests;
    find("[data-box-range]", tools).textContent = times + durations;
    return requests + ", " + times + durations;
  };

  const offer = () => {
    const text = draw();
    const terms = "slow:" + round(msOf(box.bottom)) + "ms slow:<" + round(msOf(box.top)) + "ms";
    for (const form of findAll("form", tools)) {
      form.elements.from.value = timeOf(box.left).toISOString().slice(0, 16);
      form.elements.to.value = timeOf(box.right).toISOString().slice(0, 16);
      if (form.elements.q && !("stays" in form.elements.q.dataset)) {
        form.elements.q.value = (grid.within + " " + (isWhole() ? "" : terms)).trim();
        form.elements.q.disabled = form.elements.q.value === "";
      }
    }
    tools.hidden = false;
    announce(text);
  };

  const clear = () => {
    box = from = null;
    frame.remove();
    tools.hidden = true;
  };

  // Titles of cells: made here, since they would take a fourth of the page

  svg.addEventListener("pointerover", (event) => {
    const rect = event.target;
    if (rect.dataset.n === undefined || rect.childElementCount > 0) return;
    const { at, row } = cells.find((cell) => cell.rect === rect);
    const title = document.createElementNS(NAMESPACE, "title");
    title.textContent = Number(rect.dataset.n).toLocaleString("en") + " from " + words(msOf(row)) + " to "
      + words(msOf(row + 1)) + ", " + clock(timeOf(at));
    rect.append(title);
  });

  // Pointer: also a finger, which scrolls the page when it moves up or down first

  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    from = { ...place(event), x: event.clientX, y: event.clientY };
    isDragging = wasDragged = false;
  });
  svg.addEventListener("pointermove", (event) => {
    if (from === null || event.buttons === 0) return;
    if (!isDragging && Math.hypot(event.clientX - from.x, event.clientY - from.y) < LEAST_MOVE) return;
    if (!isDragging) { isDragging = true; svg.setPointerCapture(event.pointerId); }
    box = span(from, place(event), from.isBelow);
    draw();
  });
  svg.addEventListener("pointerup", () => {
    wasDragged = isDragging;
    if (isDragging) offer();
    from = null;
    isDragging = false;
  });
  svg.addEventListener("pointercancel", () => { from = null; isDragging = false; });
  svg.addEventListener("click", (event) => {
    if (wasDragged) event.preventDefault(); // the end of a drag is no click on a cell
    wasDragged = false;
  }, true);

  // Keys: arrows move a cell, with shift they extend it

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  let anchor = null, cursor = null;

  figure.addEventListener("keydown", (event) => {
    if (event.target !== figure || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && box !== null) { clear(); anchor = cursor = null; return; }
    if (event.key === "Enter" && box !== null) { find("form", tools).requestSubmit(); return; }
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    if (cursor === null) cursor = { at: grid.columns, row: Math.floor(grid.rows / 2) };
    cursor = {
      at: within(cursor.at + step[0], 0, grid.columns - 1),
      row: within(cursor.row + step[1], 0, grid.rows - 1),
    };
    if (!event.shiftKey || anchor === null) anchor = cursor;
    box = span(anchor, cursor, false);
    offer();
  });
  find("[data-box-close]", tools).addEventListener("click", () => { clear(); figure.focus(); });

  frame.setAttribute("class", "box");
  figure.tabIndex = 0;
  figure.setAttribute("aria-describedby", find("[id^=box-help]", figure).id);
  svg.setAttribute("class", "selectable");
}
