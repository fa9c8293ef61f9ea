"""A clock that is wrong: Python imports this by itself where the folder is on its path."""

import os
import time

_off = float(os.environ.get("COOPT_CHAOS_CLOCK", "0"))
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _off
time.time_ns = lambda: _time_ns() + int(_off * 1e9)
