"""A disk that is full, or closed to writing: what is said of it, wherever the write was."""

from __future__ import annotations

import errno
import re

from coopt.core.text import one_line

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_NO_WAY = (errno.EACCES, errno.EEXIST, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)
# Libraries of other languages hand on the words alone: safetensors, torch's writer of archives.
_WORDS = re.compile(
    r"no space left|disk quota exceeded|read-only file system|file too large|os error (28|122|30|27)\b|I/O error"
    r"|unexpected pos \d+ vs|file write failed|PytorchStreamWriter failed",
    re.IGNORECASE,
)


def cannot_write(error: BaseException) -> str | None:
    """What to say of an error that is a failed write, and what to do; None if it is another."""
    advice = "make room or choose another --out"
    if isinstance(error, OSError):
        if error.errno not in (*_NO_ROOM, *_NO_WAY):
            return None
        what = f"{error.strerror} ({one_line(str(error.filename or 'run directory'))[:300]})"
        advice = advice if error.errno in _NO_ROOM else "give another path"
    elif type(error).__name__ in ("SafetensorError", "RuntimeError") and _WORDS.search(str(error)):
        what = f"cannot write ({one_line(str(error).strip())[:200]})"
    else:
        return None
    return f"{what}. Nothing finished is lost: {advice}, then run the same command again."
