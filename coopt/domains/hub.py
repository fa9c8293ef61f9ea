"""Rows of a data set on the hub, through `datasets` (extra `hub`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coopt.core.errors import DataError
from coopt.domains.rows import Row

_SECONDS = 5.0  # for the hub's first answer


def hub_rows(name: str, config: str = "", splits: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of ``owner/name``, of ``splits`` or of all splits. A row's file is its split.

    Raises ``DataError`` in one line, without network within seconds.
    """
    try:
        from datasets import get_dataset_split_names, load_dataset
    except ImportError:
        raise DataError(f"{name} is read from the hub with the extra 'hub': pip install 'coopt[hub]'.") from None
    _ask_for(name)
    try:
        wanted = list(splits) or get_dataset_split_names(name, config or None)
        parts = [(split, load_dataset(name, config or None, split=split)) for split in wanted]
    except Exception as error:  # the library raises many kinds when a hub cannot be reached
        raise DataError(f"{name}: the hub's rows cannot be read ({_first_line(error)}). {_INSTEAD}") from None
    for split, rows in parts:
        for number, value in enumerate(rows, start=1):
            yield Row(f"{name} {split} row {number}", value, split)


_INSTEAD = "Give local rows instead: --data FILE."


def _ask_for(name: str) -> None:
    """One short question before `datasets` asks, which without network tries again for half a minute.

    Offline (HF_HUB_OFFLINE) nobody is asked: what was downloaded before is read.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE:
        return
    try:
        HfApi().dataset_info(name, timeout=_SECONDS)
    except HfHubHTTPError as error:
        raise DataError(f"{name}: the hub refuses it ({_first_line(error)}). {_INSTEAD}") from None
    except Exception as error:  # of the library beneath, which is another one from release to release
        raise DataError(
            f"{name}: the hub cannot be reached: {_first_line(error).rstrip('.')}. {_INSTEAD} With HF_HUB_OFFLINE=1"
            " rows that were downloaded before are read."
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
