"""Name what a file is by its first bytes, and say what to do with those that are no prices as they stand."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from momentum_opt.errors import DataError

HEAD_BYTES: Final = 512
"""First bytes that tell what a file is."""

PACKINGS: Final[Sequence[tuple[bytes, str]]] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
"""Compressions of a single file that are unpacked while it is read."""

_UNPACK = "unpack it first"
_AS_CSV = "save the sheet as CSV"
_AS_PARQUET = "write it again as CSV or parquet, such as with pandas"
_FOREIGN: Final[Sequence[tuple[bytes, str, str]]] = (
    (b"PK\x03\x04", "a zip", _UNPACK),
    (b"PK\x05\x06", "a zip with nothing in it", "download it again"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x1f\x9d", "a file packed with compress (.Z)", _UNPACK),
    (b"LZIP", "a file packed with lzip", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", _AS_CSV),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", f"{_AS_PARQUET}: read_hdf(…).to_parquet(…)"),
    (b"FEA1", "a feather file of version 1", f"{_AS_PARQUET}: read_feather(…).to_parquet(…)"),
    (b"\xff\xff\xff\xff", "a stream of Arrow batches", "write it again as parquet, or as an Arrow file (feather)"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"ORC", "an ORC file", _AS_PARQUET),
    (b"Obj\x01", "an Avro file", _AS_PARQUET),
    (b"\x93NUMPY", "a numpy array", _AS_PARQUET),
    (b"MATLAB 5.0", "a MATLAB file", _AS_PARQUET),
    (b"%PDF", "a PDF", "give the table as CSV"),
    (b"\x89PNG", "a picture", "give the table as CSV"),
    (b"\xff\xd8\xff", "a picture", "give the table as CSV"),
    (b"GIF8", "a picture", "give the table as CSV"),
    (b"\x00\x05\x16\x07", "what macOS keeps beside a file", "leave it out"),
    (b"\x00\x00\x00\x01Bud1", "what macOS keeps of a folder", "leave it out"),
    (b"PAR1", "a parquet file", f"{_UNPACK}, and name the file itself"),
    (b"ARROW1", "a feather file", f"{_UNPACK}, and name the file itself"),
)  # fmt: skip
_OFFICE: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "xl/workbook.xml": ("an Excel workbook", _AS_CSV),
        "xl/workbook.bin": ("an Excel workbook", _AS_CSV),
        "word/document.xml": ("a Word document", "give the table as CSV"),
        "content.xml": ("an OpenDocument file", _AS_CSV),
        "META-INF/MANIFEST.MF": ("a Java archive", "give a zip of CSV files"),
    }
)


def packing_of(head: bytes) -> str | None:
    """How a file is compressed; None where it is not."""
    return next((name for magic, name in PACKINGS if head.startswith(magic)), None)


def refuse_foreign(name: str, head: bytes, *, unpacked: str | None = None) -> None:
    """Refuse a file that is neither text nor anything else that is read here, by what it is.

    Args:
        name: the file, for messages.
        head: its first bytes, unpacked.
        unpacked: how the file around them was packed, if it was.

    Raises:
        DataError: it is one of the known kinds.
    """
    inside = "" if unpacked is None else f"{unpacked} with "
    if (again := packing_of(head)) is not None:
        raise DataError(f"{name}: packed twice ({unpacked or 'zip'} with {again} inside); {_UNPACK}")
    if head[257:262] == b"ustar":
        raise DataError(f"{name}: {inside}a tar archive; {_UNPACK}")
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        raise DataError(f"{name}: {inside}a Python pickle, which may run code when it is read; {_AS_PARQUET}")
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise DataError(f"{name}: {inside}{what}; {remedy}")


def office_file(members: Sequence[str]) -> tuple[str, str] | None:
    """What a zip is whose members are those of an office program, and what to do; None for any other zip."""
    if members and all(member.endswith(".npy") for member in members):
        return "numpy arrays (.npz)", _AS_PARQUET
    return next((_OFFICE[member] for member in members if member in _OFFICE), None)
