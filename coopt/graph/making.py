"""``python -m coopt.graph.making``: the process that makes a graph for ``coopt.graph.apart``. What to make is JSON on
its input, what came of it JSON on its output."""

from __future__ import annotations

import base64
import json
import resource
import sys
from pathlib import Path
from typing import Any

from coopt.core.outside.files import read_text
from coopt.core.outside.parse import parse_own
from coopt.graph.generate import called, ends_of


def main() -> None:
    seconds, memory, name, size, options, directed = parse_own(sys.stdin.read())
    used = int(read_text(Path("/proc/self/statm")).split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    answer: dict[str, Any]
    try:
        graph = called(name, size, options, directed)
        answer = {"nodes": len(graph), "ends": base64.b64encode(ends_of(graph).tobytes()).decode()}
    except MemoryError:
        sys.exit(1)
    except Exception as error:  # whatever somebody's numbers make of somebody's function
        answer = {"error": (str(error) or type(error).__name__)[:300]}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
