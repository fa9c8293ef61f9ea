"""Single rollouts coloured by advantage, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from coopt.core.text import visible
from coopt.reports.advantages.pictures import at_strength, choose, full_colour, shown_tokens, strength
from coopt.reports.advantages.tables import label
from coopt.reports.advantages.traces import Trace

# ColorBrewer's PuOr and Blues, light to strong, each with a text colour that can be read on it.
_NEGATIVE = ("black on #fee0b6", "black on #fdb863", "black on #e08214", "white on #b35806")
_POSITIVE = ("black on #deebf7", "black on #9ecae1", "black on #6baed6", "white on #2171b5")


def show_rollouts(traces: Sequence[Trace], limit: int, console: Console) -> None:
    """Print ``limit`` questions with each arm's rollout. Text of models is text, never markup or control."""
    questions = choose(traces, limit)
    full = full_colour(questions)
    for q in questions:
        console.print(Text(visible(q.first.item.stem), style="bold"))
        console.print(Text(f"  right answer: {visible(q.first.item.answer)}", style="dim"))
        context = ""
        for trace in q.traces:
            console.print(Text(f"  {label(traces, trace.method)} ({trace.group})"), end="\n    ")
            console.print(_coloured(trace, full))
            if trace.teacher_reads is not None and trace.teacher_reads != context:
                context = trace.teacher_reads
                console.print(Padding(Text(f"teacher reads: {visible(context)}", style="dim"), (0, 0, 0, 4)))
        console.print()
    if questions:
        legend = Text("A: ")
        for k in range(-len(_NEGATIVE), len(_POSITIVE) + 1):
            value = at_strength(k / len(_POSITIVE), full)
            legend.append(f" {value:+.1f} ", style=_style(value, full))
        console.print(legend.append("  ▼ first error  ∎ end"))
        console.print()


def _coloured(trace: Trace, full: float) -> Text:
    line = Text()
    for k, (text, advantage) in enumerate(zip(shown_tokens(trace), trace.values, strict=True)):
        if k == trace.error:
            line.append("▼", style="bold")
        line.append(text.replace("\n", " "), style=_style(float(advantage), full))
    return line


def _style(advantage: float, full: float) -> str:
    """No colour below an eighth of the full one."""
    colours = _NEGATIVE if advantage < 0 else _POSITIVE
    level = round(len(colours) * strength(advantage, full))
    return colours[level - 1] if level else ""
