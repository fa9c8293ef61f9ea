"""One file with everything in it: charts, their library, tables and transcripts.

Texts of models reach the page in two ways only: through Jinja with autoescape (tables), and as JSON in which <, > and &
are escaped (transcripts), which the script writes with textContent. Should both fail, the page's content security
policy runs no script but the two whose hashes it names, and loads nothing from anywhere.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from coopt.core import store
from coopt.core.outside.files import read_text
from coopt.core.text import visible_in
from coopt.reports.charts import Chart, spec
from coopt.reports.graphs.palette import native_colours
from coopt.reports.html.feedback_charts import break_matrices, cost_chart, difficulty_charts, outcome_charts
from coopt.reports.html.graph import drawn_graph, gate_rows, graph_chart
from coopt.reports.html.head import cards, first_warnings, origin
from coopt.reports.html.score_charts import has_many, mean_of_students, pareto_charts, trajectory_charts
from coopt.reports.html.transcripts import Chosen, choose
from coopt.reports.sections import page_tables
from coopt.reports.templates import hash_of, render
from coopt.reports.theme import THEMES
from coopt.runs.measures import cost
from coopt.runs.measures.outcomes import outcomes_by_round
from coopt.runs.measures.probes import ALL_EDGES
from coopt.runs.measures.trajectories import trajectories
from coopt.runs.results import Results
from coopt.runs.run import Run

_HERE = Path(__file__).parent
_CONTEXTS = {
    "paper": "feedback, right answer if any (paper)",
    "sf": "demonstration and feedback (s + f)",
    "f": "feedback alone (f)",
}


def write_page(run: Run, results: Results, path: Path) -> Chosen:
    """Write the report of a run; says what it shows of the transcripts."""
    chosen = choose(run)
    store.write_text(path, render_page(run, results, chosen))
    return chosen


def render_page(run: Run, results: Results, chosen: Chosen) -> str:
    """The page as text."""
    library, script = chart_library(), own_script("page")
    charts = _charts(run, results)
    graph = drawn_graph(run, results.gates)
    natives = [n.native for n in graph.nodes.values()]
    return render(
        "html/page",
        results=results,
        tables={t.title: t for t in page_tables(results)},
        charts={section: list(own) for section, own in charts.items()},
        cards=cards(run, results),
        origin=origin(run),
        warnings=first_warnings(results),
        chosen=chosen,
        data={
            "themes": THEMES,
            "charts": {section: [spec(c) for c in own.values()] for section, own in charts.items()},
            "gates": visible_in(gate_rows(results.gates, graph, results.domains)),
            "transcripts": chosen.transcripts,
        },
        style=style(),
        scripts=[library, script],
        hashes=[hash_of(library), hash_of(script)],
        all_edges=ALL_EDGES,
        contexts=[(c, words) for c, words in _CONTEXTS.items() if any(x.context == c for x in results.break_rates)],
        colours=native_colours(natives, results.domains),
        one_by_one=has_many(results.native),
        pairs=lambda names: [(n, n) for n in names],
    )


def style() -> str:
    """The style of every page about a run."""
    return read_text(_HERE / "page.css")


def own_script(name: str) -> str:
    """The script of a page: what all charts need, and its own part."""
    return "".join(read_text(_HERE / f"{part}.js") for part in ("charts", name))


@lru_cache(maxsize=1)
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (BSD-3-Clause), which sets ``vegaEmbed``."""
    import vl_convert

    found: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return found


def _trajectories(run: Run, results: Results) -> dict[str, Chart]:
    points = trajectories(run)
    together = mean_of_students(points) if has_many(results.native) else []
    return trajectory_charts([*together, *points], results.methods)


def _charts(run: Run, results: Results) -> dict[str, dict[str, Chart]]:
    """section -> title -> chart. A section without data is left out: a folder of results only has no steps."""
    steps = cost.read_steps(run)
    found: dict[str, dict[str, Chart | None]] = {
        "graph": {run.topology.name: graph_chart(drawn_graph(run, results.gates))},
        "trajectories": dict(_trajectories(run, results)),
        "pareto": dict(pareto_charts(results)) if results.methods else {},
        "matrix": dict(break_matrices(results)),
        "difficulty": dict(difficulty_charts(results)),
        "outcomes": dict(outcome_charts(outcomes_by_round(steps))),
        "cost": {"Seconds per step": cost_chart(results)},
    }
    there = {section: {k: c for k, c in own.items() if c is not None} for section, own in found.items()}
    return {section: own for section, own in there.items() if own}
