"""Files, folders and patterns in; each file's bars, sorted and with closes that are prices, out."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market.importing.layouts import Columns
from momentum_opt.market.importing.merge import Overlap, merge
from momentum_opt.market.importing.raw import Series, Source
from momentum_opt.market.importing.request import ImportRequest, SourceReport
from momentum_opt.market.importing.tables import read_table, table_format
from momentum_opt.market.importing.text import TextFile, read_text, text_files
from momentum_opt.market.importing.times import UNIT_NAMES
from momentum_opt.market.row_checks import check_closes

SOURCE_ENDINGS: Final = (".csv", ".txt", ".gz", ".zip", ".parquet", ".feather")
"""What is taken of a folder that is given as a source."""


def source_files(sources: Sequence[str], member: str | None) -> list[TextFile]:
    """Every file behind the sources, in the order given, each once; folders by name."""
    found: dict[TextFile, None] = {}
    for source in sources:
        for path in _paths(source):
            for file in text_files(path, member):
                found[file] = None
    return list(found)


def _paths(source: str) -> list[Path]:
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = sorted(one for one in path.iterdir() if one.is_file() and one.suffix.lower() in SOURCE_ENDINGS)
        if not inside:
            endings = ", ".join(SOURCE_ENDINGS)
            raise MissingFileError(f"{source}: no file that could be imported; they end in {endings}")
        return inside
    matching = sorted(Path(one) for one in glob.glob(source))  # noqa: PTH207  # the pattern may be absolute
    if not matching:
        raise MissingFileError(f"{source}: no such file; name files, folders or a pattern in quotes")
    return [one for one in matching if one.is_file()]


def read_source(file: TextFile, request: ImportRequest) -> tuple[SourceReport, Series, Overlap]:
    """One source, sorted, each time once, with closes that are prices; and the times that stood in it twice."""
    source = read_file(file, wanted=request.format, columns=request.columns, unit=request.time_unit)
    series, unsorted = by_time(source)
    series, within = merge([series], request.prefer)
    units = tuple(UNIT_NAMES.get(unit, unit) for unit in sorted(source.units))
    first, last = int(series.unix[0]), int(series.unix[-1])
    report = SourceReport(series.name, source.format, units, len(series), first, last, unsorted)
    return report, series, within


def read_file(
    file: TextFile, *, wanted: str | None = None, columns: Columns | None = None, unit: str | None = None
) -> Source:
    """One file as it stands, with closes that are prices.

    Args:
        file: the file.
        wanted: its format, where the user said.
        columns: which columns to read, where the user said.
        unit: of its times, where the user said.

    Raises:
        DataError: it cannot be read as prices.
    """
    source = _read(file, wanted, columns, unit)
    check_closes(source.rows())
    return source


def _read(file: TextFile, wanted: str | None, columns: Columns | None, unit: str | None) -> Source:
    try:
        kind = None if file.member is not None else table_format(file.path)
    except OSError as error:
        raise DataError(f"{file.path}: cannot be read ({error.strerror}); check its permissions") from None
    if kind is None:
        return read_text(file, wanted=wanted, columns=columns, unit=unit)
    if wanted is not None:
        raise DataError(f"{file.path}: a {kind} file, not {wanted}; leave --format out")
    return read_table(file.path, kind, columns=columns, unit=unit)


def by_time(source: Source) -> tuple[Series, int]:
    """The series by rising time, and how many rows stood in no order; newest first is an order."""
    series = source.series
    steps = np.diff(series.unix)
    if (steps >= 0).all():
        return series, 0
    if (steps <= 0).all():
        return series.take(slice(None, None, -1)), 0
    return series.take(np.argsort(series.unix, kind="stable")), int((steps < 0).sum())
