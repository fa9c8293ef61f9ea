"""``python -m coopt.lm.render``: the process in which chat templates are rendered."""

import sys

from coopt.lm.templates import serve

serve(sys.stdin, sys.stdout)
