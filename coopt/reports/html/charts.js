"use strict";
// Texts of models are written with textContent only. There is no innerHTML in this file.
const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector) => [...document.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

function element(name, text, ...classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.classList.add(...classes);
  return made;
}

function fill(select, values, words) {
  select.replaceChildren(...values.map((value) => Object.assign(element("option", words ? words(value) : value), { value })));
}

const unique = (values) => [...new Set(values)];
const byNumber = new Intl.Collator("en", { numeric: true }).compare; // s2 before s10

// -- charts ----------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const signals = {}; // what the reader chose, laid over every new view
let views = [];
let whenDrawn = () => {}; // what else has to be drawn

async function drawCharts() {
  views.forEach(({ result }) => result.finalize());
  views = await Promise.all(all(".chart").map(draw));
  views.forEach(tell);
  whenDrawn();
  document.body.dataset.drawn = dark.matches ? "dark" : "light";
}

async function draw(place) {
  const config = data.themes[dark.matches ? "dark" : "light"];
  const { section, number } = place.dataset;
  // ast: expressions are interpreted, not compiled, so the page needs no eval.
  const result = await vegaEmbed(place, data.charts[section][number], { renderer: "svg", actions: false, ast: true, config });
  return { section, place, number, result };
}

function tell({ section, result }) {
  for (const [name, value] of Object.entries(signals[section] ?? {})) result.view.signal(name, value);
  result.view.run();
}

function send(section, name, value) {
  for (const view of views) if (view.section === section) view.result.view.signal(name, value).run();
}

async function drawAgain(place) {
  const [old, others] = [views.filter((v) => v.place === place), views.filter((v) => v.place !== place)];
  old.forEach(({ result }) => result.finalize());
  views = others;
  const made = await draw(place);
  if (made.number !== place.dataset.number) return made.result.finalize(); // another one was chosen meanwhile
  views.push(made);
  tell(made);
}

for (const select of all("select[data-figure]"))
  select.addEventListener("change", () => {
    const place = all(".chart").find((p) => p.dataset.section === select.dataset.figure);
    place.dataset.number = select.value;
    drawAgain(place);
  });

for (const select of all("select[data-signal]"))
  select.addEventListener("change", () => {
    for (const section of select.dataset.sections.split(" ")) {
      signals[section] = { ...signals[section], [select.dataset.signal]: select.value };
      send(section, select.dataset.signal, select.value);
    }
  });

dark.addEventListener("change", drawCharts);
