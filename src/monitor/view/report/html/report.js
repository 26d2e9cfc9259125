// The page of a report: what is under the pointer, zooming into time, sorting and filtering, and, where it is
// served, getting itself anew. The charts were drawn by the program, and are there without this.
(() => {
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const make = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const readData = (root) => JSON.parse($("#data", root).textContent);

let data = readData(document);
let zoom = null; // [from, to] in seconds since 1970; null: everything
const sorting = new Map(); // table's id -> [column, 1 or -1]
const filters = new Map(); // table's id -> text

// ---- numbers and times, as the program writes them ----

const grouped = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
const digits3 = (value) => Number(value.toPrecision(3)).toString();
function duration(seconds) {
  if (seconds < 1e-3) return `${digits3(seconds * 1e6)} us`;
  if (seconds < 1) return `${digits3(seconds * 1e3)} ms`;
  return `${digits3(seconds)} s`;
}
function shown(value, unit) {
  if (value === null) return "–";
  if (unit === "s") return duration(value);
  return (unit && value < 100 ? digits3(value) : grouped(value)) + unit;
}
const iso = (time) => new Date((time + data.offset) * 1000).toISOString();
const timeText = (time, withDay, digits = 0) => // so many digits of a second
  iso(time + 1e-6).slice(withDay ? 0 : 11, digits ? 20 + digits : 19).replace("T", " ");
const digitsOf = (seconds) => seconds < 0.1 ? 3 : seconds < 1 ? 2 : seconds < 2 ? 1 : 0; // to tell columns apart

// ---- zoom: all charts have the same time from left to right ----

const whole = () => [data.begin, data.begin + data.span];
const visible = () => zoom || whole();

function setZoom(from, to) {
  const [begin, end] = whole();
  const least = Math.min(1, data.span);
  if (to - from < least) {
    const middle = (from + to) / 2;
    from = middle - least / 2;
    to = middle + least / 2;
  }
  from = Math.max(from, begin);
  to = Math.min(to, end);
  zoom = to - from < least / 2 || (from <= begin && to >= end) ? null : [from, to];
  applyZoom(document);
}

function applyZoom(root) {
  const [from, to] = visible();
  for (const plot of $$("svg.plot", root)) {
    const all = plot.dataset.all ||= plot.getAttribute("viewBox");
    const [, , width, height] = all.split(" ").map(Number);
    const scale = width / data.span;
    plot.setAttribute("viewBox", `${(from - data.begin) * scale} 0 ${(to - from) * scale} ${height}`);
  }
  for (const times of $$("svg.times", root)) drawTimes(times, from, to);
  showBar();
}

const DAY = 86400;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
function drawTimes(svg, from, to) {
  if (!zoom && !svg.dataset.drawn) return; // as the program has drawn it
  svg.dataset.drawn = "yes";
  const span = to - from;
  const isLong = span >= 365 * DAY; // dates with their year need more room
  const most = isLong ? 8 : 12;
  const step = STEPS.find((each) => span / each <= most) || DAY * Math.ceil(span / most / DAY);
  const texts = [];
  const first = Math.ceil((from + data.offset) / step);
  for (let n = first; n * step <= to + data.offset; n++) {
    const time = n * step - data.offset;
    const place = (time - from) / span;
    if (place < 0.05 || place > 0.95) continue;
    const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    text.setAttribute("x", `${place * 100}%`);
    text.setAttribute("y", "13");
    if (texts.length % 2) text.setAttribute("class", "odd");
    const at = new Date(Math.round(n * step * 1000));
    text.textContent = isLong ? at.toISOString().slice(0, 10)
      : at % (DAY * 1000) === 0 ? at.toUTCString().slice(8, 11) + " " + at.toISOString().slice(8, 10)
        : at.toISOString().slice(11, step < 1 ? 21 : step < 60 ? 19 : 16);
    texts.push(text);
  }
  svg.replaceChildren(...texts);
}

const bar = make("div", { id: "bar", hidden: true });
const barText = make("span");
const reset = make("button", { type: "button", textContent: "Show all", onclick: () => setZoom(-Infinity, Infinity) });
bar.append(barText, reset);
function showBar() {
  bar.hidden = !zoom;
  if (!zoom) return;
  const day = timeText(zoom[0], true).slice(0, 10) !== timeText(zoom[1], true).slice(0, 10);
  const digits = digitsOf((zoom[1] - zoom[0]) / 10);
  barText.textContent = `Charts show ${timeText(zoom[0], day, digits)} to ${timeText(zoom[1], day, digits)}`;
}

// ---- what is under the pointer ----

const tip = make("div", { id: "tip", hidden: true });
const said = make("div", { className: "unseen" });
said.setAttribute("aria-live", "polite");
let pointed = null; // {id, time, y (0..1 of a heat map, or null), x, top}

const timeAt = (figure, clientX) => {
  const box = $("svg.plot", figure).getBoundingClientRect();
  const [from, to] = visible();
  return from + Math.min(1, Math.max(0, (clientX - box.left) / box.width)) * (to - from);
};

function columnOf(chart, time) {
  const column = Math.floor((time - data.begin) / chart.seconds);
  return Math.min(chart.columns - 1, Math.max(0, column));
}

function rowsOf(chart, column, y) {
  if (chart.series)
    return chart.series.filter(([, , values]) => values[column] !== null)
      .filter(([name, , values]) => values[column] !== 0 || /pushed|received|^lost/.test(name))
      .map(([name, unit, values]) => [name, shown(values[column], unit)]);
  const rows = [];
  const cells = chart.cells[column] || [];
  const height = chart.bounds.length - 1;
  const at = y === null ? -1 : height - 1 - Math.floor(y * height);
  for (let i = cells.length - 2; i >= 0; i -= 2) {
    const [row, count] = [cells[i], cells[i + 1]];
    const [lower, upper] = [chart.bounds[row], chart.bounds[row + 1]];
    const text = upper > lower ? `${duration(lower)} to ${duration(upper)}` : `${duration(lower)} or more`;
    rows.push([text, grouped(count), row === at]);
  }
  if (!rows.length) return [["no events", ""]];
  if (rows.length <= 12) return rows;
  const near = Math.max(0, Math.min(rows.length - 12, rows.findIndex((row) => row[2]) - 6));
  return rows.slice(near, near + 12);
}

function showTip() {
  for (const old of $$(".cursor")) old.remove();
  const figure = pointed && document.getElementById(`c-${pointed.id}`);
  const chart = pointed && data.charts[pointed.id];
  tip.hidden = !figure || !chart;
  if (tip.hidden) return;
  const [from, to] = visible();
  const box = $("svg.plot", figure).getBoundingClientRect();
  const left = box.left + (pointed.time - from) / (to - from) * box.width;
  const column = columnOf(chart, pointed.time);
  const begin = data.begin + column * chart.seconds;
  const heading = timeText(begin, data.span > DAY, digitsOf(chart.seconds)) +
    (chart.seconds >= 2 ? `, ${digits3(chart.seconds)} s` : "");
  const rows = rowsOf(chart, column, pointed.y);
  const body = make("tbody");
  for (const [name, value, isHere] of rows) {
    const text = make("td", { textContent: name });
    body.append(make("tr", { className: isHere ? "here bad" : "" }, text, make("td", { className: "n", textContent: value })));
  }
  tip.replaceChildren(make("b", { textContent: heading }), make("table", {}, body));
  for (const each of $$("figure.chart")) {
    const plot = $("svg.plot", each).getBoundingClientRect();
    const cursor = make("div", { className: "cursor" });
    cursor.style.left = `${plot.left - each.getBoundingClientRect().left + (pointed.time - from) / (to - from) * plot.width}px`;
    if (pointed.time >= from && pointed.time <= to) each.append(cursor);
  }
  const wide = document.documentElement.clientWidth;
  const tipBox = tip.getBoundingClientRect();
  const right = left + 14 + tipBox.width < wide ? left + 14 : left - 14 - tipBox.width;
  tip.style.left = `${Math.max(4, Math.min(right, wide - tipBox.width - 4))}px`;
  const top = pointed.byKey ? box.top + 20 : pointed.top;
  tip.style.top = `${Math.max(4, Math.min(top, innerHeight - tipBox.height - 8))}px`;
}

function pointAt(figure, event) {
  const map = event.target.closest && event.target.closest("svg.map");
  const box = map && map.getBoundingClientRect();
  pointed = {
    id: figure.dataset.chart, time: timeAt(figure, event.clientX), top: event.clientY + 12,
    y: box ? Math.min(0.999, Math.max(0, (event.clientY - box.top) / box.height)) : null,
  };
  showTip();
}

function unpoint() {
  pointed = null;
  showTip();
}

// ---- pointer, wheel and keys; one listener each for all charts, those of later pages included ----

const figureOf = (event) => event.target.closest && event.target.closest("figure.chart");
let drag = null; // {figure, from}

document.addEventListener("pointermove", (event) => {
  const figure = drag ? drag.figure : figureOf(event);
  if (!figure) return pointed && !pointed.byKey && unpoint();
  pointAt(figure, event);
  if (!drag) return;
  const box = figure.getBoundingClientRect();
  const ends = [drag.x, event.clientX].sort((a, b) => a - b);
  drag.mark.style.left = `${ends[0] - box.left}px`;
  drag.mark.style.width = `${ends[1] - ends[0]}px`;
});
document.addEventListener("pointerdown", (event) => {
  const figure = figureOf(event);
  if (!figure) return unpoint();
  pointAt(figure, event);
  if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest("a")) return;
  drag = { figure, x: event.clientX, from: timeAt(figure, event.clientX), mark: make("div", { className: "chosen-time" }) };
  figure.append(drag.mark);
});
document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { figure, from, x, mark } = drag;
  drag = null;
  mark.remove();
  if (Math.abs(event.clientX - x) < 5) return;
  const to = timeAt(figure, event.clientX);
  setZoom(Math.min(from, to), Math.max(from, to));
  unpoint();
});
document.addEventListener("pointercancel", () => {
  if (drag) drag.mark.remove();
  drag = null;
});
document.addEventListener("pointerleave", unpoint);
document.addEventListener("scroll", () => pointed && (pointed.byKey ? showTip() : unpoint()), { passive: true });
document.addEventListener("dblclick", (event) => {
  if (figureOf(event) && !event.target.closest("a")) setZoom(-Infinity, Infinity);
});
function zoomBy(factor, middle) {
  const [from, to] = visible();
  setZoom(middle - (middle - from) * factor, middle + (to - middle) * factor);
}
// The wheel alone scrolls the page; over a chart that has the focus, or with Ctrl (a pinch), it zooms.
document.addEventListener("wheel", (event) => {
  const figure = figureOf(event);
  if (!figure || !(event.ctrlKey || figure === document.activeElement)) return;
  event.preventDefault();
  zoomBy(event.deltaY < 0 ? 0.8 : 1.25, timeAt(figure, event.clientX));
  pointAt(figure, event);
}, { passive: false });

function moveBy(figure, columns) {
  const chart = data.charts[figure.dataset.chart];
  const [from, to] = visible();
  const is = pointed && pointed.id === figure.dataset.chart;
  const time = is ? columnOf(chart, pointed.time) + columns + 0.5
    : columnOf(chart, columns > 0 ? from : to - 1e-6) + 0.5;
  const last = Math.min(to, data.begin + chart.columns * chart.seconds);
  pointed = {
    id: figure.dataset.chart, y: null, byKey: true,
    time: Math.min(last - 1e-6, Math.max(from, data.begin + time * chart.seconds)),
  };
  showTip();
  said.textContent = tip.innerText;
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (drag) drag.mark.remove();
    drag = null;
    if (pointed && pointed.byKey) unpoint();
    else setZoom(-Infinity, Infinity);
    return;
  }
  const figure = document.activeElement;
  if (!figure || !figure.matches("figure.chart") || event.ctrlKey || event.altKey || event.metaKey) return;
  const chart = data.charts[figure.dataset.chart];
  const step = event.shiftKey ? 10 : 1;
  const middle = pointed ? pointed.time : (visible()[0] + visible()[1]) / 2;
  const actions = {
    ArrowLeft: () => moveBy(figure, -step), ArrowRight: () => moveBy(figure, step),
    Home: () => moveBy(figure, -chart.columns), End: () => moveBy(figure, chart.columns),
    "+": () => zoomBy(0.6, middle), "-": () => zoomBy(1 / 0.6, middle), "0": () => setZoom(-Infinity, Infinity),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});

// ---- tables ----

// What isn't known is less than anything, and times are compared as they are written.
const UNITS = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86400 };
function valueOf(text, isNumber) {
  if (!isNumber) return text;
  if (/^\d{4}-|^\d\d:/.test(text)) return `t${text}`;
  const parts = Array.from(text.replace(/[,≥*]/g, "").matchAll(/(-?[\d.]+(?:e[+-]?\d+)?)\s*(us|ms|s\b|min|h|d)?/g));
  if (!parts.length) return -1;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit] || 1), 0);
}

function sortTable(table) {
  const [column, direction] = sorting.get(table.id) || [];
  $$("th", table).forEach((th, index) => {
    if (index === column) th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    else th.removeAttribute("aria-sort");
  });
  if (column === undefined) return;
  const isNumber = $$("th", table)[column].classList.contains("n");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [valueOf(row.cells[column].textContent, isNumber), row]);
  const order = new Intl.Collator(undefined, { numeric: true });
  rows.sort(([a], [b]) => direction * (typeof a === "number" && typeof b === "number" ? (a > b) - (a < b)
    : order.compare(a, b))); // "-1" comes before the "t" of a time
  body.append(...rows.map(([, row]) => row));
}

function filterTable(table, count) {
  const words = (filters.get(table.id) || "").toLowerCase().split(/\s+/).filter(Boolean);
  let seen = 0;
  const rows = table.tBodies[0].rows;
  for (const row of rows) {
    const text = words.length ? row.textContent.toLowerCase() : "";
    row.hidden = !words.every((word) => text.includes(word));
    seen += !row.hidden;
  }
  count.textContent = words.length ? `${grouped(seen)} of ${grouped(rows.length)}` : grouped(rows.length);
}

function prepareTables(root) {
  for (const table of $$(".wrap > table", root)) {
    $$("th", table).forEach((th, index) => {
      const button = make("button", { type: "button", id: `${table.id}-${index}`, textContent: th.textContent });
      button.addEventListener("click", () => {
        const [column, direction] = sorting.get(table.id) || [];
        const first = th.classList.contains("n") ? -1 : 1;
        sorting.set(table.id, [index, column === index ? -direction : first]);
        sortTable(table);
      });
      th.replaceChildren(button);
    });
    const count = make("span", { className: "count" });
    const input = make("input", { type: "search", id: `${table.id}-filter`, placeholder: "Filter" });
    input.setAttribute("aria-label", `Rows of ${table.parentElement.getAttribute("aria-label")} to show`);
    input.value = filters.get(table.id) || "";
    input.addEventListener("input", () => {
      filters.set(table.id, input.value);
      filterTable(table, count);
    });
    table.parentElement.before(make("div", { className: "tools" }, input, count));
    sortTable(table);
    filterTable(table, count);
    for (const cell of $$("td.l", table))
      if (cell.textContent.length > 40) cell.title = cell.textContent;
  }
}

// ---- the graph ----

function nearGraph(event) {
  const graph = event.target.closest && event.target.closest(".graph");
  const edges = $(".edges");
  if (!edges) return;
  const item = graph && event.target.closest("li[data-from], li[data-to], .edges path");
  edges.classList.toggle("chosen", Boolean(item));
  for (const each of $$(".near", edges.parentElement)) each.classList.remove("near");
  if (!item) return;
  const { from, to } = item.dataset;
  const nodes = new Set();
  for (const path of $$("path", edges)) {
    const is = (from === undefined || path.dataset.from === from) && (to === undefined || path.dataset.to === to);
    path.classList.toggle("near", is);
    if (is) nodes.add(`from${path.dataset.from}`).add(`to${path.dataset.to}`);
  }
  for (const node of $$("li[data-from], li[data-to]", graph)) {
    const name = node.dataset.from === undefined ? `to${node.dataset.to}` : `from${node.dataset.from}`;
    node.classList.toggle("near", nodes.has(name));
  }
}
document.addEventListener("pointerover", nearGraph);

// ---- details: a link to a finding opens it, and printing opens all ----

function reveal(details) {
  for (let each = details; each; each = each.parentElement.closest("details")) each.open = true;
}
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (target && target.matches("details")) {
    reveal(target);
    target.scrollIntoView({ block: "nearest" });
  }
}
addEventListener("hashchange", openTarget);
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest('a[href^="#f-"]');
  const target = link && document.getElementById(link.getAttribute("href").slice(1));
  if (target) reveal(target);
});
let closed = [];
addEventListener("beforeprint", () => {
  closed = $$("details:not([open]):not(#more-findings .finding)");
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
  closed = [];
});

// ---- a served page gets itself anew ----

const partsOf = (root) => $$("[data-part]", root);
const asServed = new Map(partsOf(document).map((part) => [part.id, part.outerHTML]));
const script = $("script:not([type])").textContent;
const live = make("p", { id: "live" });
let tag = null; // of the page that is shown
let pressed = false;
let lastGood = Date.now() / 1000;

function keepState(old) {
  return {
    open: new Set($$("details[open]", old).map((each) => each.id)),
    scrolled: $$(".wrap", old).map((each) => [each.id, each.scrollTop, each.scrollLeft]),
    focus: old.contains(document.activeElement) && document.activeElement.id,
    selection: document.activeElement.matches("input") && [document.activeElement.selectionStart, document.activeElement.selectionEnd],
  };
}

function giveBack(part, state) {
  for (const [id, top, left] of state.scrolled) {
    const wrap = document.getElementById(id);
    if (wrap) wrap.scrollTo({ top, left, behavior: "instant" });
  }
  const focus = state.focus && document.getElementById(state.focus);
  if (!focus) return;
  focus.focus({ preventScroll: true });
  if (state.selection && focus.matches("input")) focus.setSelectionRange(...state.selection);
}

function replacePart(old, part) {
  const state = keepState(old);
  const fresh = document.importNode(part, true);
  for (const each of $$("details", fresh)) each.open = state.open.has(each.id);
  prepareTables(fresh);
  applyZoom(fresh);
  old.replaceWith(fresh);
  giveBack(fresh, state);
}

// What has the focus, or else is at the top of the window, stays where it is.
function holdStill(change) {
  const seen = partsOf(document).filter((part) => {
    const box = part.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  });
  const anchor = seen.find((part) => part.contains(document.activeElement)) || seen[0];
  const id = anchor && anchor.id;
  const before = anchor && anchor.getBoundingClientRect().top;
  change();
  const after = id && document.getElementById(id);
  if (after) scrollBy({ top: after.getBoundingClientRect().top - before, behavior: "instant" });
}

function update(text) {
  const next = new DOMParser().parseFromString(text, "text/html");
  const newScript = $("script:not([type])", next);
  if (!newScript || !$("#data", next)) throw new Error("this is no report");
  if (newScript.textContent !== script) return location.reload();
  const selection = getSelection();
  const nextData = readData(next);
  if (zoom && (zoom[1] <= nextData.begin || zoom[0] >= nextData.begin + nextData.span)) zoom = null;
  data = nextData;
  holdStill(() => {
    const wanted = partsOf(next);
    for (const old of partsOf(document))
      if (!wanted.some((part) => part.id === old.id)) {
        asServed.delete(old.id);
        old.remove();
      }
    let before = null;
    for (const part of wanted) {
      const old = document.getElementById(part.id);
      const isSelected = old && !selection.isCollapsed && selection.containsNode(old, true);
      if (!old) {
        const fresh = document.importNode(part, true);
        prepareTables(fresh);
        if (before && before.parentElement.tagName === part.parentElement.tagName) before.after(fresh);
        else $(part.parentElement.tagName).prepend(fresh);
      } else if (!isSelected && asServed.get(part.id) !== part.outerHTML) {
        replacePart(old, part);
      }
      if (!isSelected) asServed.set(part.id, part.outerHTML);
      before = document.getElementById(part.id);
    }
  });
  document.title = next.title;
  applyZoom(document);
  showTip();
}

addEventListener("pointerdown", () => { pressed = true; }, true);
for (const kind of ["pointerup", "pointercancel", "dragend"]) // the click comes right after the first
  addEventListener(kind, () => setTimeout(() => { pressed = false; }, 0), true);
addEventListener("pointermove", (event) => { pressed &&= event.buttons !== 0; }, true); // let go outside

const milliseconds = (least, seconds) => Math.min(Math.max(least, seconds), 2e6) * 1000; // timers have 31 bits
const clock = () => new Date().toTimeString().slice(0, 8);
async function refresh() {
  if (document.hidden || pressed) return;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), milliseconds(10, data.every * 3));
  try {
    const headers = tag ? { "If-None-Match": tag } : {};
    const answer = await fetch(location.pathname + location.search, { cache: "no-store", headers, signal: stop.signal });
    if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
    const text = answer.ok && await answer.text();
    if (text && !pressed) { // what is being clicked isn't replaced meanwhile
      update(text);
      tag = answer.headers.get("ETag");
    }
    lastGood = Date.now() / 1000;
    live.className = "";
    live.removeAttribute("role");
    live.textContent = `Live: as of ${clock()}, every ${digits3(data.every)} s`;
  } catch (error) {
    live.className = "away";
    live.setAttribute("role", "status"); // is said, once
    live.textContent = `Not reached since ${new Date(lastGood * 1000).toTimeString().slice(0, 8)}; trying again`;
  } finally {
    clearTimeout(timer);
  }
}

async function keepFresh() {
  for (;;) {
    await new Promise((done) => setTimeout(done, milliseconds(0.2, data.every)));
    await refresh();
  }
}

// ---- begin ----

prepareTables(document);
document.body.append(said, tip, bar);
openTarget();
if (data.every > 0) {
  live.textContent = `Live: as of ${clock()}, every ${digits3(data.every)} s`;
  $("#summary").after(live);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  keepFresh();
}
document.documentElement.dataset.ready = "yes";
})();
