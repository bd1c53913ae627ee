"""Times and numbers as people write them: zones, two columns, formats, decimal commas; read right or with a remedy."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from momentum_opt.errors import UsageError
from momentum_opt.market.importing import Columns, times
from tests.market.importing.sources import bars
from tests.market.importing.test_formats import imported, refused, text

DATA = bars(60)


def lines(header: str, row: Callable[[datetime, float], str]) -> str:
    moments = [datetime.fromtimestamp(ms / 1000, UTC) for ms in DATA.unix.tolist()]
    body = [row(*pair) for pair in zip(moments, DATA.close.tolist(), strict=True)]
    return "\n".join([header, *body] if header else body) + "\n"


def written(form: str, header: str = "time,close", sign: str = ",") -> str:
    return lines(header, lambda moment, close: f"{moment.strftime(form)}{sign}{close}")


READ = {
    "UTC behind": (written("%Y-%m-%d %H:%M:%S UTC"), False),
    "GMT behind": (written("%Y-%m-%d %H:%M GMT"), False),
    "Z": (written("%Y-%m-%dT%H:%M:%SZ"), False),
    "an offset": (written("%Y-%m-%d %H:%M:%S+00:00"), False),
    "an offset after a blank": (written("%Y-%m-%d %H:%M:%S +0000"), False),
    "no zone": (written("%Y-%m-%d %H:%M:%S"), True),
    "slashes": (written("%Y/%m/%d %H:%M"), True),
    "a comma before the fraction": (written("%Y-%m-%d %H:%M:%S,000", "time;close", ";"), True),
    "date and time": (written("%Y-%m-%d,%H:%M:%S", "date,time,close"), True),
    "date and time without signs": (written("%Y%m%d,%H%M%S", "date,time,close"), True),
    "MetaTrader": (written("%Y.%m.%d\t%H:%M:%S", "<DATE>\t<TIME>\t<CLOSE>", "\t"), True),
    "MetaTrader without a header": (lines("", lambda t, c: f"{t:%Y.%m.%d,%H:%M},{c},{c},{c},{c},7"), True),
    "a decimal comma": (lines("time;close", lambda t, c: f"{t:%Y-%m-%dT%H:%MZ};{c:.2f}".replace(".", ",")), False),
    "a decimal comma and tabs": (lines("time\tclose", lambda t, c: f"{t:%Y-%m-%dT%H:%MZ}\t{c:.2f}".replace(".", ",")),
                                 False),
    "a decimal comma in quotes": (lines("time,close", lambda t, c: f'{t:%Y-%m-%dT%H:%MZ},"{c:.2f}"'.replace(".", ",")),
                                  False),
    "a decimal comma, no header": (lines("", lambda t, c: ";".join([f"{t:%Y-%m-%dT%H:%MZ}",
                                   *[f"{c:.2f}".replace(".", ",")] * 5])), False),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_read(tmp_path: Path, name: str):
    content, zoneless = READ[name]
    report, unix, close = imported(tmp_path, text(tmp_path, content))
    np.testing.assert_array_equal(unix, DATA.unix)
    np.testing.assert_array_equal(close, DATA.close)
    assert report.sources[0].zoneless is zoneless


@pytest.mark.parametrize(
    ("content", "said", "remedy"),
    [
        (written("%d/%m/%Y %H:%M"), "'%d/%m/%Y %H:%M'", {"time_format": "%d/%m/%Y %H:%M"}),
        (written("%d.%m.%Y %H:%M:%S"), "'%d.%m.%Y %H:%M:%S'", {"time_format": "%d.%m.%Y %H:%M:%S"}),
        (written("%b %d %Y %H:%M"), "say with --time-format how", {"time_format": "%b %d %Y %H:%M"}),
        (written("%Y-%m-%d %H:%M:%S", "Datum;Kurs", ";"), "--columns time=NAME", {"columns": Columns("Datum", "Kurs")}),
        (written("%Y-%m-%d;%H:%M", "Tag;Zeit;Kurs", ";"), "--columns", {"columns": Columns("Tag+Zeit", "Kurs")}),
        (written("%Y-%m-%d;%H:%M", "", ";"), "--columns", {"columns": Columns("1+2", "3")}),
    ],
)
def test_remedies_that_work(tmp_path: Path, content: str, said: str, remedy: dict[str, object]):
    path = text(tmp_path, content)
    assert said in refused(tmp_path, path)
    _, unix, close = imported(tmp_path, path, **remedy)
    np.testing.assert_array_equal(unix, DATA.unix)
    np.testing.assert_array_equal(close, DATA.close)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time;close\n2024-01-01;42,512\n2024-01-02;43,100\n", "42,512 may be 42.512 or 42512; write numbers with"),
        ("time;close\n2024-01-01;1.042,57\n2024-01-02;1.043,5\n", "'1.042,57', no number; write numbers without signs"),
        ('time,close\n2024-01-01,"1,042.57"\n', "'1,042.57', no number; write numbers without signs between thousands"),
        ("time,close\n2024-01-01,42,57\n2024-01-02,43,1\n", "its first row has 3 columns, the header names 2; mend"),
        ("time,close\n1704067200,42\n1704067260,42,57\n", "3 columns instead of 2; the line is torn"),
        (
            "time,close\n2024-01-01T00:00Z,1\n2024-01-01 00:01,2\n",
            "line 3: the time '2024-01-01 00:01' has no time zone",
        ),
        ("time,close\n2024-01-01 00:00,1\n2024-01-01T00:01Z,2\n", "has a time zone, and the others have none; mend"),
    ],
)
def test_what_could_be_two_things(tmp_path: Path, content: str, said: str):
    assert said in refused(tmp_path, text(tmp_path, content))


def test_a_zone_that_the_user_names(tmp_path: Path):
    path = text(tmp_path, written("%Y-%m-%d %H:%M:%S"))
    report, unix, _ = imported(tmp_path, path, time_zone="America/New_York")
    np.testing.assert_array_equal(unix, DATA.unix + 5 * 3_600_000)
    assert not report.sources[0].zoneless
    frame = pd.DataFrame({"date": pd.to_datetime(DATA.unix, unit="ms"), "close": DATA.close})
    frame.to_parquet(tmp_path / "naive.parquet")
    report, unix, _ = imported(tmp_path / "utc", tmp_path / "naive.parquet")
    assert report.sources[0].zoneless
    np.testing.assert_array_equal(unix, DATA.unix)
    _, unix, _ = imported(tmp_path / "tokyo", tmp_path / "naive.parquet", time_zone="Asia/Tokyo")
    np.testing.assert_array_equal(unix, DATA.unix - 9 * 3_600_000)
    zoned = text(tmp_path, written("%Y-%m-%dT%H:%M:%SZ"), "zoned.csv")
    np.testing.assert_array_equal(imported(tmp_path / "z", zoned, time_zone="Asia/Tokyo")[1], DATA.unix)


def test_clocks_that_change(tmp_path: Path):
    path = text(tmp_path, "time,close\n2024-11-03 00:30,1\n2024-11-03 01:30,2\n")
    said = refused(tmp_path, path, time_zone="America/New_York")
    assert "line 3: the time 2024-11-03 01:30:00 comes twice or not at all in America/New_York" in said
    assert "give times in UTC" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"time_zone": "America/New_Yrk"},
            "--time-zone America/New_Yrk: no such time zone; did you mean America/New_Yo",
        ),
        ({"time_zone": "nowhere at all"}, "no such time zone; choose one of"),
        ({"time_format": "%Y", "time_unit": "s"}, "--time-format stands beside --time-unit; give one"),
        ({"time_format": "ISO"}, "--time-format ISO: no format; write for example"),
        (
            {"time_format": "%d.%m.%Y"},
            "is not written as --time-format '%d.%m.%Y' says; mend or delete the line, or say",
        ),
    ],
)
def test_words_that_do_not_fit(tmp_path: Path, options: dict[str, str], said: str):
    line = refused(tmp_path, text(tmp_path, written("%Y-%m-%d %H:%M:%S")), error=UsageError, **options)
    assert said in line
    assert len(line) < 500


@pytest.mark.parametrize(
    "raw",
    [pa.array([1.5]), pa.array([np.nan]), pa.array([17]), pa.array([10**18 + 1]), pa.array([10**300.0])],
)  # fmt: skip
def test_no_message_shows_how_numpy_writes_a_number(raw: pa.Array):
    with pytest.raises(times.TimesError) as caught:
        times.to_ms(raw)
    assert "np." not in str(caught.value)


@pytest.mark.parametrize(
    ("text_of", "form"),
    [
        ("31/01/2024 10:00", "%d/%m/%Y %H:%M"),
        ("01-31-2024 10:00:00", "%m-%d-%Y %H:%M:%S"),
        ("1.2.24", "%d.%m.%y"),
        ("yesterday", "%d/%m/%Y %H:%M"),
    ],
)
def test_the_format_that_a_message_names_reads_the_time(text_of: str, form: str):
    with pytest.raises(times.TimesError) as caught:
        times.to_ms(pa.array([text_of]))
    assert repr(form) in caught.value.remedy
    if text_of != "yesterday":
        assert len(times.to_ms(pa.array([text_of]), times.TimeOptions(form=form))[0]) == 1
