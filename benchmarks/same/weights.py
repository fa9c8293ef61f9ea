"""What a file of tensors holds, as digests: small enough to be kept, and enough to name the tensor that differs."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

SUFFIX = ".safetensors"
DIGEST = ".digest.json"


def digest(path: Path) -> dict[str, Any]:
    """The digest of a safetensors file, or the one that was kept in its place."""
    kept = path.with_name(path.name + DIGEST)
    if not path.is_file():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    data = path.read_bytes()
    # The format: eight bytes that say how long the header is, a header in JSON, then the tensors one after another.
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = memoryview(data)[8 + length :]
    metadata = header.pop("__metadata__", {})  # written from a hash map, in another order by every process
    return {
        "metadata": dict(sorted(metadata.items())),
        "tensors": {name: _tensor(entry, body) for name, entry in sorted(header.items())},
    }


def _tensor(entry: dict[str, Any], body: memoryview) -> str:
    begin, end = entry["data_offsets"]
    return f"{entry['dtype']} {entry['shape']} {hashlib.sha256(body[begin:end]).hexdigest()[:16]}"


def keep_digests(folder: Path, *, remove: bool) -> None:
    """Write the digest of every file of tensors below a folder beside it; with ``remove`` in its place: a run of all
    methods has 1.5 GB of weights, and nobody reads them again."""
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        if path.is_symlink():
            continue
        path.with_name(path.name + DIGEST).write_text(json.dumps(digest(path), indent=1))
        if remove:
            path.unlink()
