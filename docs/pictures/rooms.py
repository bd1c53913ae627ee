"""The map of docs/architecture.md: the layers of pyproject.toml and what each room is for in, a figure out.

The layers are read where import-linter reads them. Arrows are the fewest that have a way along them for every import
from room to room; `tests/docs/test_architecture.py` compares them with the imports that there are.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from momentum_opt.results.report.palette import light

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


class Room(NamedTuple):
    """A package on the map: where its box begins and ends, what it is for, and what of others it is built on."""

    left: float
    right: float
    purpose: str
    libraries: tuple[str, ...]
    to: tuple[str, ...]
    """Rooms that its arrows point to."""


ROOMS: Final[Mapping[str, Room]] = {
    "cli": Room(20, 80, "one file per command: options in, tables and exit codes out", ("typer", "rich"), ("api",)),
    "api": Room(20, 100, "one file per task; what a notebook and the commands call", ("numpy",), ("device", "results")),
    "device": Room(72, 100, "JAX's global settings", ("jax",), ()),
    "results": Room(20, 80, "run folder, best.json, tables, report", ("pandas", "vl_convert"), ("evidence", "onchain")),
    "evidence": Room(0, 49, "skill or selection: a verdict", ("numpy", "scipy"), ("study",)),
    "onchain": Room(51, 100, "the contract in integers, rehearsal", ("numpy",), ("study",)),
    "study": Room(20, 80, "search space, samplers, storage, replay", ("optuna", "jax"), ("metrics", "simulation")),
    "metrics": Room(0, 38, "values in, numbers out", ("jax",), ("vocabulary",)),
    "simulation": Room(42, 100, "prices, candidates in, values out", ("jax",), ("pool", "fingerprint", "market")),
    "pool": Room(26, 56, "rules, rails, arbitrage", ("jax",), ("vocabulary",)),
    "fingerprint": Room(44, 78, "YAML in, a frozen run out", ("pydantic", "yaml"), ("vocabulary",)),
    "vocabulary": Room(4, 52, "names, units, ranges, descriptions", (), ()),
    "market": Room(66, 100, "price files in, one time grid out", ("numpy", "pyarrow"), ()),
}
HEIGHT, GAP = 1.0, 0.62
"""Of a box, and between two rows."""


def layers() -> list[list[str]]:
    """The layers of the import rules, from the top down, each with the names in it."""
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return [layer.split(" | ") for one in contracts if one["type"] == "layers" for layer in one["layers"]]


def arrows() -> list[tuple[str, str, float]]:
    """From which room each arrow comes, to which it goes, and where it stands: in the middle of what both span."""
    ends = [(name, other) for name, room in ROOMS.items() for other in room.to]
    return [(name, other, _middle(ROOMS[name], ROOMS[other])) for name, other in ends]


def _middle(one: Room, other: Room) -> float:
    return (max(one.left, other.left) + min(one.right, other.right)) / 2


def rooms() -> Figure:
    """Every room in the row of its layer, below them the modules that all may import, and arrows between rooms."""
    rows = [row for row in layers() if row[0] in ROOMS]
    ground = [name for row in layers() for name in row if name not in ROOMS]
    tops = {name: -number * (HEIGHT + GAP) for number, row in enumerate([*rows, ["ground"]]) for name in row}
    figure = Figure(figsize=(7.2, 7.4), layout="constrained")
    axes = figure.subplots()
    for name, room in ROOMS.items():
        _box(axes, room, tops[name], name)
    _box(axes, Room(0, 100, ", ".join(ground), (), ()), tops["ground"], "for all", edge="muted")
    style = {"arrowstyle": "-|>", "color": light("ink"), "shrinkA": 0, "shrinkB": 0}
    for name, other, x in arrows():
        axes.annotate("", (x, tops[other]), (x, tops[name] - HEIGHT), arrowprops=style)
    axes.set(xlim=(-1, 101), ylim=(tops["ground"] - HEIGHT - 0.2, 0.2))
    axes.set_axis_off()
    return figure


def _box(axes: Any, room: Room, top: float, name: str, edge: str = "pool") -> None:
    style = {"boxstyle": "round,pad=0,rounding_size=0.5", "mutation_aspect": 0.3, "linewidth": 0.9}
    colours = {"facecolor": light("paper"), "edgecolor": light(edge)}
    axes.add_patch(FancyBboxPatch((room.left, top - HEIGHT), room.right - room.left, HEIGHT, **style, **colours))
    left, right = room.left + 1.5, room.right - 1.5
    axes.text(left, top - 0.3, name, weight="bold", va="center")
    axes.text(right, top - 0.3, ", ".join(room.libraries), va="center", ha="right", fontsize=7.5, color=light("muted"))
    axes.text(left, top - 0.72, room.purpose, va="center", fontsize=8)
