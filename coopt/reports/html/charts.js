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
  const config = data.themes[dark.matches ? "dark" : "light"];
  views.forEach(({ result }) => result.finalize());
  views = await Promise.all(
    all(".chart").map(async (place) => {
      const { section, number } = place.dataset;
      const spec = data.charts[section][number];
      // ast: expressions are interpreted, not compiled, so the page needs no eval.
      const result = await vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true, config });
      return { section, result };
    }),
  );
  for (const [section, own] of Object.entries(signals)) for (const [name, value] of Object.entries(own)) send(section, name, value);
  whenDrawn();
  document.body.dataset.drawn = dark.matches ? "dark" : "light";
}

function send(section, name, value) {
  for (const view of views) if (view.section === section) view.result.view.signal(name, value).run();
}

for (const select of all("select[data-signal]"))
  select.addEventListener("change", () => {
    for (const section of select.dataset.sections.split(" ")) {
      signals[section] = { ...signals[section], [select.dataset.signal]: select.value };
      send(section, select.dataset.signal, select.value);
    }
  });

dark.addEventListener("change", drawCharts);
