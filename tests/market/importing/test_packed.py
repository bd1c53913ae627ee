"""What a source is by its first bytes: unpacked within bounds, ignored where a system wrote it, or named."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from momentum_opt.market.importing import gather, importer, packed
from tests.market.importing.sources import bars, coinbase, kraken, tables, write_zip
from tests.market.importing.test_formats import assert_bars, imported, refused, text
from tests.sample_runs import environment

DATA = bars()
CSV = coinbase(DATA).encode()


def arrow_packed(packing: str) -> Callable[[bytes], bytes]:
    def pack(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, packing) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    return pack


PACKINGS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": arrow_packed("zstd"),
            "lz4": arrow_packed("lz4")}  # fmt: skip


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_text(tmp_path: Path, packing: str):
    """By their content, whatever their names; torn ones are refused."""
    pack = PACKINGS[packing]
    for name in (f"x.csv.{packing}", "x.csv"):
        (tmp_path / name).write_bytes(pack(CSV))
        assert_bars(*imported(tmp_path / f"of {name}", tmp_path / name)[1:])
    (tmp_path / "torn").write_bytes(pack(CSV)[:200])
    assert "torn: cannot be read (" in refused(tmp_path, tmp_path / "torn")
    (tmp_path / "twice").write_bytes(pack(pack(CSV)))
    assert "twice: packed twice (" in refused(tmp_path, tmp_path / "twice")
    (tmp_path / "none").write_bytes(pack(b""))
    assert "none: the file is empty" in refused(tmp_path, tmp_path / "none")


def tar(compressed: bool) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz" if compressed else "w") as archive:
        entry = tarfile.TarInfo("a.csv")
        entry.size = len(CSV)
        archive.addfile(entry, io.BytesIO(CSV))
    return sink.getvalue()


def feather_of_version_1() -> bytes:
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feather.write_feather(pa.table({"date": [1], "close": [1.0]}), sink, version=1)
    return sink.getvalue()


def stream_of_arrow() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("close", pa.float64())])) as stream:
        stream.write_table(pa.table({"close": [1.0]}))
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (feather_of_version_1, "a feather file of version 1; write it again as CSV or parquet"),
        (stream_of_arrow, "a stream of Arrow batches; write it again as parquet"),
        (lambda: tar(False), "a tar archive; unpack it first"),
        (lambda: tar(True), "a tar archive; unpack it first"),
        (lambda: b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it first"),
        (lambda: b"Rar!\x1a\x07\x01\0", "a RAR archive; unpack it first"),
        (lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(50), "an old Excel workbook (.xls); save the sheet as CSV"),
        (lambda: b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file; write it again as CSV or parquet"),
        (lambda: b"\x80\x04\x95abc", "a Python pickle, which may run code when it is read; write it again"),
        (lambda: b"\x93NUMPY\1", "a numpy array; write it again"),
        (lambda: b"SQLite format 3\0", "an SQLite database; export the table as CSV"),
        (lambda: b"\0\5\x16\7\0", "what macOS keeps beside a file; leave it out"),
        (lambda: CSV.decode().encode("utf-16"), "not text in UTF-8, but in UTF-16; save it as UTF-8"),
        (lambda: "time,close,größe\n1704067200,1,2\n".encode("latin-1"), "cannot be read (not UTF-8: "),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, content: Callable[[], bytes], said: str):
    for name in ("source", "source.csv", "source.gz"):
        path = tmp_path / name
        path.write_bytes(content())
        assert said in refused(tmp_path, path)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"xl/workbook.xml": "x"}, "an Excel workbook; save the sheet as CSV"),
        ({"content.xml": "x"}, "an OpenDocument file; save the sheet as CSV"),
        ({"a.npy": "x"}, "numpy arrays (.npz); write it again"),
        ({"inside.zip": "PK"}, "no .csv in it, but inside.zip; unpack it, and give what is inside"),
        ({"a.parquet": "PAR1"}, "no .csv in it, but a.parquet; unpack it"),
        ({"a.csv": "PK\x03\x04 and so on"}, "a.csv: zip with a zip; unpack it first"),
        ({"__MACOSX/._a.csv": "x", ".DS_Store": "x"}, "no .csv in it, but nothing; give a zip of CSV files"),
    ],
)
def test_zips_of_something_else(tmp_path: Path, members: dict[str, str], said: str):
    for name in ("a.zip", "a.xlsx", "a.csv"):
        assert said in refused(tmp_path, write_zip(tmp_path / name, **members))


def test_what_a_system_put_there_is_no_table(tmp_path: Path):
    rubbish = {"__MACOSX/._a.csv": "\0\5", "._a.csv": "\0\5", ".DS_Store": "x", "Thumbs.db": "x", "desktop.ini": "x"}
    assert_bars(*imported(tmp_path, write_zip(tmp_path / "a.zip", **{"a.csv": CSV.decode()}, **rubbish))[1:])
    folder = tmp_path / "folder"
    for name in rubbish:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\0\5")
    assert "no file that could be imported; they end in .csv" in refused(tmp_path, folder)
    (folder / "a.csv").write_bytes(CSV)
    for source in (folder, folder / "*"):
        report, *_ = imported(tmp_path, source)
        assert [one.name for one in report.sources] == [str(folder / "a.csv")]


def zip_of(path: Path, size: int) -> Path:
    """A zip that unpacks to `size` bytes of rows."""
    line = b"1704067200,1.0\n" * 70_000
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.csv", "w", force_zip64=True) as member,
    ):
        member.write(b"time,close\n")
        for _ in range(size // len(line) + 1):
            member.write(line)
    return path


def test_bytes_rows_and_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packed, "MOST_UNPACKED", 1 << 20)
    too_large = "more than 0.0009765625 GiB when unpacked, the most that is read of a packed file; unpack it first"
    assert too_large in refused(tmp_path, zip_of(tmp_path / "a.zip", 2 << 20))
    for name, pack in PACKINGS.items():
        path = tmp_path / f"a.csv.{name}"
        path.write_bytes(pack(b"time,close\n1704067200,1\n1704067260,1\n" + b"\n" * (2 << 20)))
        assert too_large in refused(tmp_path, path)
    many = write_zip(tmp_path / "many.zip", **{f"{n}.csv": CSV.decode() * 10 for n in range(20)})
    assert too_large in refused(tmp_path, many, member="*")
    monkeypatch.setattr(packed, "MOST_MEMBERS", 19)
    assert "more than 19 files in it, the most that is read of a zip; unpack it" in refused(tmp_path, many, member="1*")
    monkeypatch.setattr(packed, "_MOST_DIRECTORY_BYTES", 100)
    monkeypatch.setattr(packed, "MOST_MEMBERS", 10**9)
    assert "files in it, the most that is read of a zip" in refused(tmp_path, many, member="1*")


def test_rows_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gather, "MOST_ROWS", 150)
    said = "more than 150 rows, the most that is read of one source; give its part that is needed"
    for path in (text(tmp_path, kraken(DATA)), *tables(DATA, tmp_path).values()):
        assert said in refused(tmp_path, path)
    monkeypatch.setattr(gather, "MOST_ROWS", 200)
    monkeypatch.setattr(importer, "MOST_BARS", 300)
    two = [text(tmp_path, kraken(DATA), f"{n}.csv") for n in range(2)]
    assert "with it the sources have more than 300 rows; import it by itself" in refused(tmp_path, *two)


LIMITED = """
import pathlib, re, resource, sys
from momentum_opt.cli.app import main
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
try:
    main(["data", "import", sys.argv[1], "--token", "BTC", "--out", sys.argv[2]])
finally:
    # Not what getrusage gives, which begins with the memory of the process that started this one.
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(sys.argv[3]).write_text(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "said"), [(2_900_000_000, "more than 2 GiB"), (1_000_000_000, "more than 10,000,000")]
)
def test_a_small_zip_of_gigabytes(tmp_path: Path, size: int, said: str):
    path = zip_of(tmp_path / "a.zip", size)
    assert path.stat().st_size < 20e6
    used = tmp_path / "kibibytes"
    arguments = [sys.executable, "-c", LIMITED, str(path), str(tmp_path / "out"), str(used)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert int(used.read_text()) < 2 << 20
    assert not (tmp_path / "out").exists()


def test_paths_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.parquet").mkdir()
    (tmp_path / "dead.csv").symlink_to("nowhere")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    closed = text(tmp_path, kraken(DATA), "closed.csv")
    assert "no file that could be imported" in refused(tmp_path, tmp_path / "a.parquet")
    assert "a link to nowhere, which is not there; mend the link" in refused(tmp_path, tmp_path / "dead.csv")
    assert "a link to nowhere" in refused(tmp_path, tmp_path / "dead*")
    assert "Too many levels of symbolic links" in refused(tmp_path, tmp_path / "loop.csv")
    assert "not a regular file but a pipe or device; save" in refused(tmp_path, tmp_path / "pipe.csv")
    assert "name too long" in refused(tmp_path, tmp_path / ("x" * 300))
    assert "no path of this system" in refused(tmp_path, tmp_path / "a\0b")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != closed)
    assert "closed.csv: no permission to read it; change its permissions" in refused(tmp_path, closed)


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where the system says so only when it is opened, as for a network folder."""
    path = text(tmp_path, kraken(DATA))
    opened = Path.open

    def refuse(self: Path, *args: str, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **options)  # pyright: ignore

    monkeypatch.setattr(Path, "open", refuse)
    assert "source.csv: no permission to read it; change its permissions" in refused(tmp_path, path)


def test_feather_is_read_in_parts(tmp_path: Path):
    """One batch of many rows, as feather files of frameworks have, with columns that do not count."""
    data = bars(300_000)
    table = pa.table(
        {"date": pa.array(data.unix, pa.timestamp("ms", "UTC")), "note": ["x"] * 300_000, "close": data.close}
    )
    feather.write_feather(table, str(tmp_path / "a.feather"), chunksize=300_000)
    _, unix, close = imported(tmp_path, tmp_path / "a.feather")
    np.testing.assert_array_equal(unix, data.unix)
    np.testing.assert_array_equal(close, data.close)


def test_a_column_of_one_name_twice(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([DATA.unix, DATA.close, ["X"] * 200, ["X"] * 200], ["unix", "close", "pair", "pair"]), path)
    assert "more than one column pair; keep one" in refused(tmp_path, path)
