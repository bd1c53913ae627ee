"""Open what a source names, plain, compressed or as a member of a zip: bytes come out, up to a bound."""

import bz2
import csv
import fnmatch
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import pyarrow as pa

from momentum_opt.errors import DataError, listing
from momentum_opt.market.importing.kinds import HEAD_BYTES, office_file, packing_of
from momentum_opt.market.limits import MOST_MEMBERS, MOST_UNPACKED
from momentum_opt.paths import file_fault, is_hidden, os_fault

TABLE_ENDINGS: Final = (".csv", ".txt", ".tsv", ".json", ".jsonl", ".ndjson")
"""Names of text files that are taken out of a zip."""

UNREADABLE: Final = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException, RuntimeError, NotImplementedError,
    UnicodeDecodeError, OSError, csv.Error,
)  # fmt: skip
"""What a damaged, encrypted or oddly compressed file raises."""

_MOST_DIRECTORY_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file, or the member of a zip that holds one.

    Args:
        path: the file.
        member: its name in the zip; None for a file of its own.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @contextmanager
    def open(self) -> Generator[IO[bytes]]:
        """The uncompressed bytes."""
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield _bounded(stream, self.name)
            return
        with self.path.open("rb") as stream:
            packing = packing_of(stream.read(HEAD_BYTES))
            stream.seek(0)
            yield stream if packing is None else _bounded(_unpacking(packing, stream), self.name)

    def packing(self) -> str | None:
        """How the file is packed; None where it is not."""
        if self.member is not None:
            return "zip"
        with self.path.open("rb") as stream:
            return packing_of(stream.read(HEAD_BYTES))


class _Bounded(io.RawIOBase):
    """Bytes of a stream up to `MOST_UNPACKED`: a small file that unpacks to more is no price file."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        self._count += len(found)
        if self._count > MOST_UNPACKED:
            raise DataError(_too_large(self._name))
        return len(found)


def _too_large(name: str) -> str:
    return (
        f"{name}: more than {MOST_UNPACKED / 2**30:,.10g} GiB when unpacked, the most that is read of a packed file; "
        "unpack it first, and give the part that is needed"
    )


def _bounded(stream: IO[bytes], name: str) -> IO[bytes]:
    return io.BufferedReader(_Bounded(stream, name), 1 << 16)


def _unpacking(packing: str, stream: IO[bytes]) -> IO[bytes]:
    if packing == "gzip":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if packing == "bz2":
        return cast("IO[bytes]", bz2.BZ2File(stream))
    if packing == "xz":
        return cast("IO[bytes]", lzma.LZMAFile(stream))
    return pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), packing)


@contextmanager
def readable(name: str) -> Generator[None]:
    """Say in one line what a file that cannot be read raises."""
    try:
        yield
    except DataError:
        raise
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            what, remedy = os_fault(error)
            raise DataError(f"{name}: {what}; {remedy}") from None
        if isinstance(error, UnicodeDecodeError):
            raise DataError(f"{name}: cannot be read (not UTF-8: {error.reason}); save it as UTF-8") from None
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: cannot be read ({what}); download it again, or unpack it first") from None


def text_files(path: Path, member: str | None) -> list[TextFile]:
    """A plain or compressed file as it is; of a zip the one table in it, or those that the pattern `member` names.

    Raises:
        DataError: not a zip, no table in it, several and no `member`, or more than is read of one.
    """
    if (fault := file_fault(path)) is not None:
        raise DataError(f"{path}: {fault[0]}; {fault[1]}")
    with readable(str(path)), path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if path.suffix.lower() != ".zip" and not head.startswith(b"PK\x03\x04"):
        return [TextFile(path)]
    entries = _entries(path)
    inside = [entry.filename for entry in entries]
    if (office := office_file(inside)) is not None:
        raise DataError(f"{path}: {office[0]}; {office[1]}")
    tables = sorted(name for name in inside if name.lower().endswith(TABLE_ENDINGS))
    chosen = [name for name in tables if member is None or fnmatch.fnmatch(name, member)]
    if not (len(chosen) == 1 or (chosen and member is not None)):
        raise DataError(_not_chosen(path, inside, tables, chosen, member))
    if sum(entry.file_size for entry in entries if entry.filename in set(chosen)) > MOST_UNPACKED:
        raise DataError(_too_large(str(path)))
    return [TextFile(path, name) for name in dict.fromkeys(chosen)]


def _entries(path: Path) -> list[zipfile.ZipInfo]:
    """The members of a zip that are files of a user."""
    try:
        with zipfile.ZipFile(_checked_directory(path)) as archive:
            entries = archive.infolist()
    except DataError:
        raise
    except (OSError, zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: not a readable zip ({error}); download it again") from None
    if len(entries) > MOST_MEMBERS:
        raise DataError(_too_many(path))
    return [entry for entry in entries if not entry.is_dir() and not is_hidden(entry.filename)]


def _checked_directory(path: Path) -> Path:
    """Look at the end of a zip, which says how large its directory is, before all of that is read into memory."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 22))
        end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at >= 0 and int.from_bytes(end[at + 12 : at + 16], "little") > _MOST_DIRECTORY_BYTES:
        raise DataError(_too_many(path))
    return path


def _too_many(path: Path) -> str:
    return f"{path}: more than {MOST_MEMBERS:,} files in it, the most that is read of a zip; unpack it first"


def _not_chosen(
    path: Path, inside: Sequence[str], tables: Sequence[str], chosen: Sequence[str], member: str | None
) -> str:
    shown = listing(tables or inside, 4)
    if not tables:
        packed = [".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".parquet", ".feather"]
        if any(name.lower().endswith(tuple(packed)) for name in inside):
            return f"{path}: no .csv in it, but {shown}; unpack it, and give what is inside"
        return f"{path}: no .csv in it, but {shown or 'nothing'}; give a zip of CSV files"
    if chosen:
        return f"{path}: {len(tables)} tables in it: {shown}; say which with --member NAME"
    return f"{path}: nothing in it is called {member}; it has {shown}: mend --member"
