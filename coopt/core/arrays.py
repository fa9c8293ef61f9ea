"""Types of arrays. Letters at the end of a variable's name say what its axes are: ``scores_ND``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
