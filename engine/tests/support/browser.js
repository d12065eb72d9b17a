// What browser.rs asks a report. Nothing of this is part of the report.

function visible(selector) {
  const element = document.querySelector(selector);
  return !!element && element.checkVisibility({ contentVisibilityAuto: false }) && element.getClientRects().length > 0;
}

// Tries everything that could load something; gives the directives that forbade it.
async function forbidden(away) {
  const met = new Set();
  addEventListener("securitypolicyviolation", event => met.add(event.effectiveDirective));
  const make = (name, set) => document.head.append(Object.assign(document.createElement(name), set));
  document.body.append(Object.assign(new Image(), { src: away + "/x.png" }));
  make("script", { src: away + "/x.js" });
  make("link", { rel: "stylesheet", href: away + "/x.css" });
  fetch(away).catch(() => {});
  new FontFace("x", `url(${away}/x.woff)`).load().catch(() => {});
  await new Promise(done => setTimeout(done, 500));
  return [...met].sort();
}

function focusFromTop() {
  document.body.tabIndex = -1;
  document.body.focus();
}

function focused() {
  const element = document.activeElement;
  return element.id || element.parentElement.id;
}

function outlined() {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}

// Colours, as WCAG 2 computes their contrast.
function rgba(text) {
  const numbers = text.match(/[\d.]+/g).map(Number);
  return numbers.length === 3 ? [...numbers, 1] : numbers;
}
function over(top, ground) {
  return [0, 1, 2].map(i => top[i] * top[3] + ground[i] * (1 - top[3])).concat(1);
}
function luminance(colour) {
  const [r, g, b] = colour.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
function ground(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
  return layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
}
function opacity(element) {
  let all = 1;
  for (let e = element; e; e = e.parentElement) all *= parseFloat(getComputedStyle(e).opacity);
  return all;
}
function ratio(element, property) {
  const own = rgba(getComputedStyle(element)[property]);
  own[3] *= opacity(element);
  const below = ground(property === "color" ? element : element.parentElement);
  return contrast(over(own, below), below);
}

// Elements with text of their own whose contrast is too low.
function pale(least) {
  const found = {};
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!text || !element.checkVisibility() || element.closest("title")) continue;
    const got = ratio(element, element.closest("svg") ? "fill" : "color");
    if (got < least) found[element.tagName + "." + element.getAttribute("class")] = got.toFixed(2);
  }
  return Object.entries(found);
}
// Bars of the chart that do not stand out from its ground: by what fills them, or by their line.
function paleMarks(least) {
  const found = {};
  for (const bar of document.querySelectorAll("svg rect")) {
    const by = ["fill", "stroke"].filter(name => getComputedStyle(bar)[name] !== "none");
    const got = Math.max(...by.map(name => ratio(bar, name)));
    if (got < least) found[bar.getAttribute("class")] = got.toFixed(2);
  }
  return Object.entries(found);
}

// Headings that skip a level, or a second first one.
function headings() {
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(h => [Number(h.tagName[1]), h.innerText]);
  return levels.filter(([level], i) => i === 0 ? level !== 1 : level === 1 || level > levels[i - 1][0] + 1);
}

// Things that a screen reader could not name.
function nameless() {
  const table = [...document.querySelectorAll("table")].filter(t => !t.caption || !t.caption.innerText);
  const input = [...document.querySelectorAll("input")].filter(i => !i.labels.length);
  const image = [...document.querySelectorAll("svg")].filter(s => !s.getAttribute("aria-label"));
  const page = document.documentElement.lang && document.title ? [] : [document.documentElement];
  return [...table, ...input, ...image, ...page].map(e => e.outerHTML.slice(0, 200));
}

function tooWide() {
  const room = document.documentElement.clientWidth;
  const own = e => e.getBoundingClientRect().right > room + 0.5 && ![...e.children].some(c => c.getBoundingClientRect().right > room + 0.5);
  return [...document.querySelectorAll("body *")].filter(own).map(e => e.outerHTML.slice(0, 120)).slice(0, 5);
}

function chart() {
  const svg = document.querySelector("section svg");
  const box = svg.getBoundingClientRect();
  const rects = [...svg.querySelectorAll("rect")];
  const outside = rects.filter(rect => {
    const r = rect.getBoundingClientRect();
    return r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1;
  });
  return {
    rows: [...svg.querySelectorAll("text:not(.time)")].map(text => text.textContent),
    pauses: svg.querySelectorAll(".pause").length,
    bars: rects.length,
    outside: outside.length,
  };
}

// What lies in a fold and has no place on the page.
function folded() {
  const inner = [...document.querySelectorAll("details pre, details .operations > li:not(.look)")];
  return inner.filter(e => !e.closest(".look") && (!e.checkVisibility() || e.getBoundingClientRect().height === 0))
    .map(e => e.outerHTML.slice(0, 120)).slice(0, 5);
}

// Diffs whose lines do not follow each other line by line.
function looseDiffs() {
  return [...document.querySelectorAll(".diff")].filter(diff => {
    const lines = [...diff.children].map(line => line.getBoundingClientRect());
    return lines.some((line, i) => line.height < 8 || (i > 0 && Math.abs(line.top - lines[i - 1].bottom) > 1));
  }).map(diff => diff.innerText.slice(0, 80));
}

// Does something, and waits until it is on the screen.
function painted(act) {
  act();
  return new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)));
}
