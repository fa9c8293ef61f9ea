// -- the graph, round by round ----------------------------------------------------------------------

const [method, seed, round] = ["graph-method", "graph-seed", "graph-round"].map(byId);
const number = (value, digits) => (value === null ? "–" : value.toFixed(digits));

function gatesNow() {
  return data.gates.filter((g) => g.method === method.value && String(g.seed) === seed.value);
}

function showRounds() {
  round.max = Math.max(1, ...gatesNow().map((g) => g.round));
  showRound();
}

function showRound() {
  const rows = gatesNow().filter((g) => g.round === Number(round.value));
  byId("graph-round-shown").textContent = `${round.value} of ${round.max}`;
  round.setAttribute("aria-valuetext", `round ${round.value} of ${round.max}`);
  const open = rows.filter((g) => g.state !== "closed").length;
  byId("graph-words").textContent = data.gates.length
    ? `Round ${round.value}: ${open} of ${rows.length} edges open.`
    : "No method of this run has tutors.";
  byId("graph-edges").replaceChildren(
    ...rows.map((g) => {
      const line = element("tr");
      const span = g.low === null ? "–" : `[${number(g.low, 3)}, ${number(g.high, 3)}]`;
      line.append(...[g.edge, g.state, g.reason, number(g.gap, 3), span, number(g.flip, 2)].map((t) => element("td", t)));
      return line;
    }),
  );
  for (const { section, result } of views) if (section === "graph") result.view.data("edges", rows).run();
}

fill(method, unique(data.gates.map((g) => g.method)));
fill(seed, unique(data.gates.map((g) => g.seed)));
if ([...method.options].some((o) => o.value === "opcod")) method.value = "opcod";
method.addEventListener("change", showRounds);
seed.addEventListener("change", showRounds);
round.addEventListener("input", showRound);
byId("graph-controls").hidden = data.gates.length === 0;

// -- transcripts -----------------------------------------------------------------------------------

const PAGE = 10;
const ALL = "";
const ANSWERS = ["broken", "fixed", "still right", "still wrong", "not asked again"];
const answerOf = (t) => t.change || "not asked again";
const both = (t) => t.change_sf || "not asked again";
let first = 0;
let matching = [];

const value = { text: (t) => [t.question, t.own, t.raw, t.f?.text, t.sf?.text].join("\n"), change: answerOf, change_sf: both };
const field = (name, t) => (value[name] ? value[name](t) : t[name]);

function filterTranscripts() {
  const wanted = all("#filters [data-field]").map((input) => [input.dataset.field, input.value]).filter(([, v]) => v !== ALL);
  matching = data.transcripts.filter((t) =>
    wanted.every(([name, v]) =>
      name === "text" ? field(name, t).toLowerCase().includes(v.toLowerCase()) : field(name, t) === v,
    ),
  );
  first = 0;
  showTranscripts();
}

function showTranscripts() {
  const last = Math.min(first + PAGE, matching.length);
  byId("found").textContent = matching.length ? `${first + 1} to ${last} of ${matching.length} that match` : "None matches.";
  byId("list").replaceChildren(...matching.slice(first, last).map(card));
  byId("earlier").disabled = first === 0;
  byId("later").disabled = last >= matching.length;
}

function card(t) {
  const made = element("article");
  const head = element("h3");
  const when = t.step === 0 && t.round === 0 ? `seed ${t.seed}` : `seed ${t.seed}, round ${t.round}, step ${t.step}`;
  head.append(badge(t.outcome), badge(answerOf(t)), `${t.edge}, ${t.source}, ${when}, ${t.domain}${t.times > 1 ? `, ${t.times} times` : ""}`);
  const texts = element("div", undefined, "texts");
  const question = part(t.answer ? `Question (answer: ${t.answer})` : "Question", t.question || `not at hand: ${t.item}`);
  question.classList.add("question");
  texts.append(
    question,
    answer("The tutee's answer", { text: t.own, right: t.right }),
    part("Feedback as written", t.raw),
    part("Feedback as kept", t.kept ?? (t.outcome === "kept" ? "not recorded (older run)" : `not kept: ${t.outcome}`)),
    ...[["f", "Answer with feedback"], ["sf", "Answer with own demonstration and feedback"], ["again", "Asked again without feedback"]]
      .filter(([key]) => t[key])
      .map(([key, words]) => answer(words, t[key])),
  );
  made.append(head, texts);
  return made;
}

function badge(words) {
  return element("span", words, "badge", words.replaceAll(" ", "-"));
}

function part(title, text) {
  const made = element("div");
  made.append(element("h4", title), element("pre", text));
  return made;
}

function answer(title, { text, right }) {
  const made = part(`${title}: `, text);
  made.firstChild.append(element("span", right ? "right" : "wrong", right ? "right" : "wrong"));
  return made;
}

function turn(step) {
  first += step * PAGE;
  showTranscripts();
  byId("found").scrollIntoView({ block: "nearest" });
}

if (byId("filters")) {
  for (const select of all("#filters select")) {
    const name = select.dataset.field;
    const found = unique(data.transcripts.map((t) => field(name, t)));
    const order = name.startsWith("change") ? ANSWERS.filter((a) => found.includes(a)) : found.sort(byNumber);
    fill(select, [ALL, ...order], (v) => v || "all");
  }
  for (const happening of ["input", "change"]) byId("filters").addEventListener(happening, filterTranscripts);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("earlier").addEventListener("click", () => turn(-1));
  byId("later").addEventListener("click", () => turn(1));
  filterTranscripts();
}

whenDrawn = showRound;
showRounds();
drawCharts();
