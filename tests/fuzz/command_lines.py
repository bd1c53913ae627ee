"""Command lines, surroundings and faults of files, drawn for the fuzz test of whole commands."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer
from hypothesis import strategies as st

from momentum_opt.cli.app import app
from momentum_opt.fingerprint.keys import LEAVES
from tests.cli.damage import snapshot
from tests.fuzz.damage import Value, damaged_bytes, damaged_document, damaged_text

Words = tuple[str, ...]

ODD = (
    "", " ", "-", "--", ".", "..", "/", "~", "0", "-1", "1.5", "1e400", "nan", "inf", "-inf", "9" * 30, "00", "0x10",
    "١", "é", "\u202e", "\ufeff", "a\nb", "=", "==", "x=", "=x", ",", ",,", "a,b", ":", "[", "{", "{}", "[]", "null",
    "true", "&a", "*a", "!!x", "<<", "%", "%s", "{0}", "{x}", "'", '"', "\\", "*", "**", "?", "[a", "(", "~nobody/x",
    "x" * 300, "a/" * 300, "2024-02-30", "0001-01-01", "9999-12-31", "2023-01-10", "10:20", "1970-01-01:9999-12-31",
    "nowhere", "nowhere/new", "/proc/nowhere", "/proc/version", "file:///x", "http://h/x", "postgresql://u:p@h:1/d",
    "sqlite://", "sqlite:///", "mysql://h/d", "redis://h", "AAA", "AAA,BBB", "XXX", "AAA=1", "AAA=1,BBB=1,CCC=1",
)  # fmt: skip

SOUND: dict[str, Words] = {
    "config": ("config.yaml", "costs.yaml"),
    "run": ("tuned", "run"),
    "number": ("0", "3"),
    "file": ("incumbent.json",),
    "folder": ("prices",),
    "sources": ("XBTUSD_60.csv", "candles.json", "export.zip", "table.parquet", "*.csv", "prices"),
    "--trials": ("8", "3", "12"),
    "--data": ("prices",),
    "--run-dir": ("new", "tuned", "run"),
    "--storage": ("j.journal", "sqlite:///s.db"),
    "--workers": ("1",),
    "--from": ("best.json", "params.json"),
    "--params": ("best.json", "tuned/best.json", "tuned", "params.json"),
    "--config": ("config.yaml",),
    "--addresses": ("tokens.yaml",),
    "--at": ("2023-01-15", "2023-01-18", "2023-01-15T06:00Z"),
    "--max-trade-size-ratio": ("0.2",),
    "--deployment": ("deployment.json",),
    "--start": ("2023-01-06",),
    "--end": ("2023-01-16",),
    "--delay": ("300s", "5m", "1h"),
    "--miss": ("0.1",),
    "--seed": ("1",),
    "--tolerance": ("0.01",),
    "--state": ("state.json", "new.json"),
    "--current-weights": ("AAA=0.3,BBB=0.3,CCC=0.4",),
    "--tokens": ("AAA,BBB", "3"),
    "--window": ("2023-01-05:2023-01-12",),
    "--history": ("2",),
    "--max-gap": ("60",),
    "--token": ("XBT", "AAA"),
    "--format": ("kraken", "binance"),
    "--columns": ("time=1,close=5", "number,objective", "all"),
    "--where": ("objective > 0", "symbol=BTCUSDT", "number<3"),
    "--time-unit": ("s", "ms"),
    "--time-zone": ("Europe/London",),
    "--time-format": ("%d/%m/%Y %H:%M",),
    "--member": ("*.csv",),
    "--prefer": ("first",),
    "--quote": ("AAA",),
    "--constant": ("1.0",),
    "--bar": ("60", "5"),
    "--days": ("3",),
    "--volatility": ("2",),
    "--regimes": ("rising,quiet",),
    "--regime-days": ("2",),
    "--sort": ("objective", "train_returns"),
    "--limit": ("2",),
}

VARIABLES: dict[str, Words] = {
    "COLUMNS": ("1", "10", "60", "0", "-3", "x", "99999999"),
    "LINES": ("0", "x"),
    "LC_ALL": ("C", "POSIX", "de_DE.UTF-8", "xx_YY.latin1", ""),
    "LANG": ("", "tr_TR.UTF-8"),
    "TERM": ("", "dumb", "nonsense"),
    "TZ": ("Asia/Kathmandu", "nonsense", ":", ""),
    "NO_COLOR": ("", "1"),
    "FORCE_COLOR": ("1",),
    "TMPDIR": ("nowhere", "locked", "config.yaml", ""),
    "HOME": ("nowhere", "locked", "", "/", "config.yaml"),
    "XDG_CACHE_HOME": ("nowhere", "locked", "", "config.yaml", "relative"),
    "XDG_CONFIG_HOME": ("locked", "config.yaml"),
    "MPLCONFIGDIR": ("locked", "config.yaml"),
    "NUMBA_CACHE_DIR": ("locked", "config.yaml"),
    "JAX_COMPILATION_CACHE_DIR": ("locked", "config.yaml"),
}
"""What a user's environment may hold. Paths are of the site."""

AT_START: dict[str, Words] = {
    "JAX_PLATFORMS": ("cuda", "cpu", "nonsense", ""),
    "JAX_ENABLE_X64": ("0", "perhaps"),
    "PYTHONIOENCODING": ("ascii", "latin-1:strict", "utf-16"),
    "PYTHONUTF8": ("0",),
    "PYTHONWARNINGS": ("default", "error"),
    "XLA_FLAGS": ("--xla_nonsense=1",),
    "NUMBA_DISABLE_JIT": ("1",),
    "NUMBA_NUM_THREADS": ("0", "x"),
    "OMP_NUM_THREADS": ("x", "1"),
    "MPLBACKEND": ("nonsense", "TkAgg"),
    "PYTHONHASHSEED": ("0",),
}
"""What is read once per process."""

STREAMS = ("", "", ">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full")


@dataclass(frozen=True)
class Option:
    """An option or argument of a command, as typer knows it."""

    name: str
    required: bool
    flag: bool
    option: bool


@cache
def commands() -> dict[Words, tuple[Option, ...]]:
    """Every command with what it takes, read off the program, so that a new one is tried as well."""
    return dict(_commands(typer.main.get_command(app), ()))


def _commands(command: Any, words: Words) -> Iterator[tuple[Words, tuple[Option, ...]]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))
    if not hasattr(command, "commands"):
        yield words, tuple(_option(one) for one in command.params)


def _option(param: Any) -> Option:
    option = param.param_type_name == "option"
    return Option(
        param.opts[0] if option else param.name, param.required, bool(getattr(param, "is_flag", False)), option
    )


@st.composite
def settings(draw: st.DrawFn) -> str:
    """`SECTION.KEY=VALUE`, mostly of a key that there is."""
    leaf = draw(st.sampled_from(LEAVES))
    words = st.sampled_from([*leaf.words, *FEW_NUMBERS, *ODD, "fees.csv", "trades.csv"])
    value = draw(words | Value.map(lambda one: json.dumps(one) if one is not None else "null"))
    return draw(st.sampled_from([f"{'.'.join(leaf.path)}={value}"] * 9 + [f"{leaf.path[0]}={value}"]))


FEW_NUMBERS = ("1", "2", "3", "0.5", "0.003", "1440", "60", "10", "1e-9", "1e9", "-1", "0")


@st.composite
def command_line(draw: st.DrawFn, files: Words) -> Words:
    """A command with its required options and some others; most values are sound, some odd, some another file."""
    words = draw(st.sampled_from(sorted(commands())))
    if draw(st.integers(0, 2)) and words[0] in ("tune", "walk-forward"):
        words = draw(st.sampled_from(sorted(commands())))  # they take longest
    line = list(words)
    for option in commands()[words]:
        if draw(st.integers(0, 99)) < (97 if option.required else 60 if option.name == "sources" else 22):
            line += draw(_given(option, files))
    if words[0] in ("tune", "walk-forward"):
        line += ["--set", "evidence.enabled=false", "--trials", draw(st.sampled_from(["8", "3"])), "--no-report"]
    if words == ("walk-forward",):
        line += ["--set", "walk_forward.train_days=6", "--set", "walk_forward.test_days=4"]
    if draw(st.integers(0, 19)) == 0:
        at = draw(st.integers(0, len(line)))
        line[at : at + draw(st.integers(0, 2))] = [draw(st.sampled_from(ODD))]
    return tuple(line)


def _given(option: Option, files: Words) -> st.SearchStrategy[list[str]]:
    if option.flag:
        return st.just([option.name])
    sound = st.sampled_from(SOUND.get(option.name, ("1",)))
    if option.name == "--set":
        sound = settings()
    odd = st.sampled_from(ODD) | st.sampled_from(files) | st.text(max_size=5).filter(lambda text: "\0" not in text)
    value = st.integers(0, 9).flatmap(lambda which: sound if which < 8 else odd)
    return value.map(lambda one: [option.name, one] if option.option else [one])


@dataclass(frozen=True)
class Surroundings:
    """What a command is started in."""

    variables: tuple[tuple[str, str | None], ...]
    folder: str
    streams: str = ""
    locked: Words = ()

    def placed(self, site: Path) -> list[tuple[str, str | None]]:
        """The variables with the places of this site."""
        places = {"nowhere": site.parent / "nowhere", "locked": site / "locked", "config.yaml": site / "config.yaml"}
        return [(name, str(places.get(value, value)) if value is not None else None) for name, value in self.variables]


@st.composite
def surroundings(draw: st.DrawFn, *, alone: bool) -> Surroundings:
    """Variables and working folder; for a process of its own (`alone`) streams and folders that are locked as well."""
    choices = {**VARIABLES, **(AT_START if alone else {})}
    names = draw(st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True))
    variables = tuple((name, draw(st.none() | st.sampled_from(choices[name]))) for name in names)
    folder = draw(st.sampled_from([".", ".", ".", "tuned", "prices"]))
    if not alone:
        return Surroundings(variables, folder)
    locked = draw(st.lists(st.sampled_from([".", "tuned", "run", "prices"]), max_size=2, unique=True))
    return Surroundings(variables, folder, draw(st.sampled_from(STREAMS)), tuple(locked))


@dataclass(frozen=True)
class Fault:
    """What a file of the site is replaced by: bytes, another file of the site, a folder, a dead link or nothing."""

    file: str
    how: str
    content: bytes = b""

    def apply(self, folder: Path) -> None:
        """Put it there."""
        path = folder / self.file
        if self.how == "swapped":
            path.write_bytes((folder / self.content.decode()).read_bytes())
            return
        path.unlink()
        if self.how == "bytes":
            path.write_bytes(self.content)
        elif self.how == "folder":
            path.mkdir()
        elif self.how == "link":
            path.symlink_to("nowhere")


@st.composite
def tried(draw: st.DrawFn, content: dict[str, bytes], *, alone: bool) -> tuple[Words, Surroundings, Fault | None]:
    """A command line, its surroundings, and a fault in one of the files, mostly one that the line names."""
    line = draw(command_line(tuple(sorted(content))))
    named = [name for name in sorted(content) if {name, name.split("/")[0], name.split("_")[0]} & set(line)]
    names = draw(st.sampled_from([named, named, named, []])) or sorted(content)
    return line, draw(surroundings(alone=alone)), draw(fault(names, content))


@st.composite
def fault(draw: st.DrawFn, names: list[str], content: dict[str, bytes]) -> Fault | None:
    """One of the files damaged, swapped or gone, or None."""
    name = draw(st.sampled_from(names))
    how = draw(st.sampled_from(["none"] * 3 + ["bytes"] * 12 + ["swapped"] * 3 + ["folder", "link", "gone"]))
    if how == "none":
        return None
    if how == "swapped":
        return Fault(name, how, draw(st.sampled_from(sorted(content))).encode())
    return Fault(name, how, draw(_damaged(name, content[name])) if how == "bytes" else b"")


def _damaged(name: str, content: bytes) -> st.SearchStrategy[bytes]:
    if name.endswith((".json", ".yaml", ".csv", ".jsonl", ".journal", ".html", ".txt")):
        text = damaged_text(content.decode()).map(lambda one: one.encode(errors="replace"))
        if name.endswith(".json"):
            return text | damaged_document(json.loads(content)).map(lambda one: json.dumps(one).encode())
        return text
    return damaged_bytes(content) | st.just(b"")


def copy_of(site: Path, to: Path) -> Path:
    """A copy of the site to damage, with a folder that nothing can be written into."""
    shutil.copytree(site, to)
    (to / "locked").mkdir(mode=0o555)
    return to


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the site that a command may read."""
    return {name: content for name, content in snapshot(folder).items() if os.path.getsize(folder / name)}  # noqa: PTH202
