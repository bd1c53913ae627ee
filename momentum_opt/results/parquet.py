"""Read a parquet file that momentum-opt wrote for itself, or say what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from momentum_opt.errors import RunFolderError

_UNREADABLE: Final = (OSError, ValueError, LookupError, TypeError, MemoryError, pa.ArrowException)
"""What pyarrow and pandas raise for damaged files; a flipped bit may lead to any of them."""

REMADE: Final = "delete it and give the tune's command again: it is made anew"
"""Remedy for a table of a run folder that a tune writes where it is not there."""

_LONGEST_REASON: Final = 120


def read_parquet(path: Path, remedy: str, *, numbers: Sequence[str] = (), without: str | None = None) -> pd.DataFrame:
    """The columns of a parquet file.

    Args:
        path: the file.
        remedy: what to do where it is damaged.
        numbers: columns that must be there and hold numbers.
        without: a prefix of columns to leave out.

    Raises:
        RunFolderError: it cannot be read, or lacks a column.
    """
    try:
        names = [name for name in pq.read_schema(path).names if without is None or not name.startswith(without)]
        table = pd.read_parquet(path, columns=names)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
        raise RunFolderError(f"{path}: cannot be read ({reason}); {remedy}") from None
    wrong = [name for name in numbers if name not in table or not pd.api.types.is_numeric_dtype(table[name])]
    if wrong:
        raise RunFolderError(f"{path}: has no numbers in {', '.join(map(str, wrong))}; {remedy}")
    return table
