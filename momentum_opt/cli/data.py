"""`momentum-opt data …`: price files. The commands parse, call the market layer and write what came out."""

import json
from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Price files: make a synthetic sample.")


@data_app.callback()
def data() -> None:
    """Keep `sample` a subcommand also while it is the only one."""


@data_app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")] = Path("data/sample"),
    seed: Annotated[int, typer.Option(help="Seed of the random numbers; the same seed gives the same prices.")] = 0,
    days: Annotated[int, typer.Option(help="Days of one-minute prices from 2023-01-01 UTC.")] = 400,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are not part of a sample.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Write synthetic prices of three invented tokens, so that every command can be tried without real data."""
    from momentum_opt.market import write_sample

    paths = write_sample(out, seed=seed, days=days, force=force)
    files = [{"path": str(path), "bytes": path.stat().st_size} for path in paths]
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "synthetic": True, "seed": seed, "days": days, "files": files}))
        return
    for file in files:
        typer.echo(f"{file['path']}  {file['bytes']:,} bytes")
