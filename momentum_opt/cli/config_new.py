"""`momentum-opt config new`: a commented configuration for a folder of price files."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from momentum_opt.cli.config import tell_notes, write_new
from momentum_opt.errors import UsageError


def new(
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="Folder of price files.")],
    tokens: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…", help="What the pool holds, 2 to 8 tokens; else all of the folder.", show_default=False
        ),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="START:END[:TEST_END]",
            help="Train and validate from START up to END, test up to TEST_END, all exclusive of their last day; else "
            "chosen from the days that all files cover, their last fifth for the test.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write here instead of to stdout.", show_default=False),
    ] = None,
) -> None:
    """Write a commented configuration that fits the prices."""
    from momentum_opt.api.configuring import new_config

    names = None if tokens is None else _tokens(tokens)
    file = None if out == Path("-") else out
    found = new_config(data, names, None if window is None else _window(window), file=file)
    write_new(file, found.text)
    tell_notes(found.notes)
    if file is not None:
        typer.echo(f"configuration: {file}")


def _tokens(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(f"--tokens {text}: not a list of distinct names; write them as BTC,ETH,USDC")
    return names


def _window(text: str) -> list[date]:
    try:
        days = [date.fromisoformat(part.strip()) for part in text.split(":")]
    except ValueError:
        days = []
    if len(days) not in (2, 3):
        example = "2022-06-01:2023-06-01:2023-09-01"
        raise UsageError(f"--window {text}: not two or three dates; write START:END[:TEST_END], such as {example}")
    return days
