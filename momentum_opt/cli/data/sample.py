"""`momentum-opt data sample`: a folder of synthetic prices."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def sample(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")] = Path("data/sample"),
    seed: Annotated[int, typer.Option(help="Seed of the random numbers; the same seed gives the same prices.")] = 0,
    days: Annotated[int, typer.Option(help="Days of prices from 2023-01-01 UTC.")] = 400,
    tokens: Annotated[int, typer.Option(help="How many tokens, 2 to 8; the last one is a stablecoin.")] = 3,
    bar: Annotated[int, typer.Option(metavar="MINUTES", help="Bar length; divides a day.")] = 1,
    volatility: Annotated[float, typer.Option(help="Factor on the volatility of the risky tokens.")] = 1.0,
    regimes: Annotated[
        str, typer.Option(help="Market regimes that take turns, the first one begins.")
    ] = "rising,falling,quiet,turbulent",
    regime_days: Annotated[float, typer.Option(help="Mean length of a regime in days.")] = 30.0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are not part of a sample.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Write synthetic prices of invented tokens, so that every command can be tried without real data."""
    from momentum_opt.market import Recipe, write_sample

    names = tuple(name.strip() for name in regimes.split(","))
    recipe = Recipe(seed, days, tokens, bar, volatility, names, regime_days)
    paths = write_sample(out, recipe, force=force)
    files = [{"path": str(path), "bytes": path.stat().st_size} for path in paths]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "synthetic": True, **asdict(recipe), "files": files}))
        return
    for file in files:
        typer.echo(f"{file['path']}  {file['bytes']:,} bytes")
