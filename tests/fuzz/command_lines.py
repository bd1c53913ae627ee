"""Command lines, surroundings and faults of files, drawn for the fuzz test of whole commands."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import typer
from hypothesis import strategies as st

from momentum_opt.cli.app import app
from momentum_opt.fingerprint.keys import LEAVES
from tests.cli.damage import snapshot
from tests.fuzz.damage import damaged_bytes, damaged_document, damaged_text

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


NUMBERS = (
    "1",
    "2",
    "3",
    "0.5",
    "0.003",
    "1440",
    "60",
    "10",
    "1e-9",
    "1e9",
    "-1",
    "0",
    "1e300",
    "true",
    "{a: 1}",
    "[1]",
)


def setting(chance: Random) -> str:
    """`SECTION.KEY=VALUE`, mostly of a key that there is and a value that may do."""
    leaf = chance.choice(LEAVES)
    sound = (*leaf.words, *NUMBERS, "fees.csv", "trades.csv", str(leaf.example))
    value = chance.choice(ODD if chance.random() < 0.2 else sound)
    path = leaf.path[:1] if chance.random() < 0.1 else leaf.path
    return f"{'.'.join(path)}={value}"


def command_line(chance: Random, files: Words) -> Words:
    """A command with its required options and some others; most values are sound, some odd, some another file."""
    words = chance.choice(sorted(commands()))
    if chance.random() < 0.7 and words[0] in ("tune", "walk-forward"):
        words = chance.choice(sorted(commands()))  # they take longest
    line, sound = list(words), chance.random() < 0.5
    for option in commands()[words]:
        asked = option.required or option.name in ("sources", "folder")
        if chance.random() < (0.98 if asked else 0.1 if sound else 0.25):
            line += _given(chance, option, files, odd=0.03 if sound else 0.25)
    if words[0] in ("tune", "walk-forward"):
        line += ["--set", "evidence.enabled=false", "--trials", chance.choice(["8", "3"]), "--no-report"]
    if words == ("walk-forward",):
        line += ["--set", "walk_forward.train_days=10", "--set", "walk_forward.test_days=3"]
    if chance.random() < 0.04:
        at = chance.randint(0, len(line))
        line[at : at + chance.randint(0, 2)] = [chance.choice(ODD)]
    return tuple(line)


def _given(chance: Random, option: Option, files: Words, *, odd: float) -> list[str]:
    if option.flag:
        return [option.name]
    value = setting(chance) if option.name == "--set" else chance.choice(SOUND.get(option.name, ("1",)))
    if chance.random() < odd:
        value = chance.choice((*ODD, *files))
    return [option.name, value] if option.option else [value]


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


def surroundings(chance: Random, *, alone: bool) -> Surroundings:
    """Variables and working folder; for a process of its own (`alone`) streams and folders that are locked as well."""
    choices = {**VARIABLES, **(AT_START if alone else {})}
    names = chance.sample(sorted(choices), chance.randint(0, 3))
    variables = tuple((name, chance.choice((None, *choices[name]))) for name in names)
    folder = chance.choice([*["."] * 15, "tuned", "prices"])
    if not alone:
        return Surroundings(variables, folder)
    locked = chance.sample([".", "tuned", "run", "prices"], chance.choice([0, 0, 1, 2]))
    return Surroundings(variables, folder, chance.choice(STREAMS), tuple(locked))


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
    """A command line, its surroundings, and a fault in one of the files, mostly one that the line names.

    The first two are drawn evenly: Hypothesis would repeat few choices, so that most commands are refused at once.
    """
    chance = draw(st.randoms(use_true_random=True))
    line = command_line(chance, tuple(sorted(content)))
    around = surroundings(chance, alone=alone)
    if chance.random() < 0.5:
        return line, around, None
    named = [name for name in sorted(content) if {name, name.split("/")[0], name.split("_")[0]} & set(line)]
    return line, around, draw(fault(named if named and chance.random() < 0.8 else sorted(content), content))


@st.composite
def fault(draw: st.DrawFn, names: list[str], content: dict[str, bytes]) -> Fault:
    """One of the files damaged, swapped or gone."""
    name = draw(st.sampled_from(names))
    how = draw(st.sampled_from(["bytes"] * 12 + ["swapped"] * 3 + ["folder", "link", "gone"]))
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
