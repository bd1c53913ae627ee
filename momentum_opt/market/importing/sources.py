"""Files, folders and patterns in; each file's bars, sorted and with closes that are prices, out."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from momentum_opt.errors import DataError, MissingFileError, listing
from momentum_opt.market.importing.merge import Overlap, merge
from momentum_opt.market.importing.packed import TextFile, readable, text_files
from momentum_opt.market.importing.raw import Series, Source
from momentum_opt.market.importing.reading import Reading
from momentum_opt.market.importing.request import ImportRequest, SourceReport
from momentum_opt.market.importing.tables import read_table, table_format
from momentum_opt.market.importing.text import read_text
from momentum_opt.market.importing.times import UNIT_NAMES, ZONELESS
from momentum_opt.market.row_checks import check_closes
from momentum_opt.paths import file_fault, is_hidden, os_fault

SOURCE_ENDINGS: Final = (
    ".csv", ".txt", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".parquet",
    ".feather",
)  # fmt: skip
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
    if (fault := file_fault(path)) is None and path.exists():
        return [path]
    if fault is not None and _is_folder(path):
        return _inside(path)
    if fault is not None:
        what, remedy = fault
        raise DataError(f"{source}: {what}; {remedy}")
    matching = [Path(one) for one in sorted(glob.glob(source))]  # noqa: PTH207  # the pattern may be absolute
    matching = [one for one in matching if not is_hidden(one.name) and not one.is_dir()]
    if not matching:
        raise MissingFileError(f"{source}: no such file; name files, folders or a pattern in quotes")
    return matching


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _inside(folder: Path) -> list[Path]:
    """The files of a folder that are read, by name; what a system put there for itself is not of them."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        what, remedy = os_fault(error)
        raise DataError(f"{folder}: {what}; {remedy}") from None
    wanted = [one for one in entries if one.suffix.lower() in SOURCE_ENDINGS and not is_hidden(one.name)]
    inside = [one for one in wanted if not one.is_dir()]
    if not inside:
        others = [one.name for one in entries if not is_hidden(one.name)]
        named = f"; it has {listing(others, 4)}" if others else ""
        endings = ", ".join(SOURCE_ENDINGS)
        raise MissingFileError(f"{folder}: no file that could be imported; they end in {endings}{named}")
    return inside


def read_source(file: TextFile, request: ImportRequest) -> tuple[SourceReport, Series, Overlap]:
    """One source, sorted, each time once, with closes that are prices; and the times that stood in it twice."""
    source = read_file(file, request.reading)
    series, unsorted = by_time(source)
    series, within = merge([series], request.prefer)
    units = tuple(UNIT_NAMES.get(unit, unit) for unit in sorted(source.units - {ZONELESS}))
    report = SourceReport(
        name=series.name,
        format=source.format,
        units=units,
        zoneless=ZONELESS in source.units,
        identity=source.identity,
        bars=len(series),
        first_ms=int(series.unix[0]),
        last_ms=int(series.unix[-1]),
        unsorted=unsorted,
    )
    return report, series, within


def read_file(file: TextFile, reading: Reading) -> Source:
    """One file as it stands, with closes that are prices.

    Raises:
        DataError: it cannot be read as prices.
    """
    source = _read(file, reading)
    check_closes(source.rows())
    return source


def _read(file: TextFile, reading: Reading) -> Source:
    if (fault := file_fault(file.path)) is not None:
        raise DataError(f"{file.path}: {fault[0]}; {fault[1]}")
    with readable(str(file.path)):
        kind = None if file.member is not None else table_format(file.path)
    if kind is None:
        return read_text(file, reading)
    if reading.format is not None:
        raise DataError(f"{file.path}: a {kind} file, not {reading.format}; leave --format out")
    return read_table(file.path, kind, reading)


def by_time(source: Source) -> tuple[Series, int]:
    """The series by rising time, and how many rows stood in no order; newest first is an order."""
    series = source.series
    steps = np.diff(series.unix)
    if (steps >= 0).all():
        return series, 0
    if (steps <= 0).all():
        return series.take(slice(None, None, -1)), 0
    return series.take(np.argsort(series.unix, kind="stable")), int((steps < 0).sum())
