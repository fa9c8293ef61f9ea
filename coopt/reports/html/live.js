// A page of a run that goes on: it loads itself again, and keeps the place and the choices of its reader.
const KEPT = `coopt:${location.pathname}`;
const selects = all("select[data-signal]");

function remember() {
  const chosen = selects.map((select) => select.value);
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ y: scrollY, chosen }));
  } catch {} // a browser may forbid it; then the page begins at its top
}

function recall() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {}
  if (!kept) return;
  selects.forEach((select, k) => {
    if (![...select.options].some((o) => o.value === kept.chosen[k])) return;
    select.value = kept.chosen[k];
    select.dispatchEvent(new Event("change"));
  });
  scrollTo({ top: kept.y, behavior: "instant" });
}

const again = Number(document.body.dataset.reload);
if (again) {
  history.scrollRestoration = "manual"; // charts are drawn later: the browser would restore a place on a shorter page
  addEventListener("pagehide", remember);
  setInterval(() => {
    if (document.hidden || selects.includes(document.activeElement)) return; // nobody looks, or somebody is choosing
    location.reload();
  }, 1000 * again);
}
drawCharts().then(recall);
