"""`momentum-opt weights`: where the newest prices send the weights."""

import math
from pathlib import Path
from typing import Annotated

import typer

from momentum_opt.cli.config import AsJson, Data, Params, one_result, tell_notes
from momentum_opt.cli.export import Config
from momentum_opt.errors import UsageError


def weights(
    params: Params,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", help="Carry on from here; made if it is not there.", show_default=False
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Ignore prices after this time (UTC).", show_default=False),
    ] = None,
    current_weights: Annotated[
        str | None,
        typer.Option(
            "--current-weights",
            metavar="TOKEN=WEIGHT,…",
            help="The weights that the pool really has at the update.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print the weights of the coming interval, and keep the state for the next call."""
    file = one_result(params)
    from momentum_opt.api.next_weights import next_weights
    from momentum_opt.api.tuned_pool import moment
    from momentum_opt.cli.render_onchain import weights_lines
    from momentum_opt.results.files import to_json

    notes: list[str] = []
    document = next_weights(
        file,
        state=state,
        at=None if at is None else moment(at, "--at"),
        current_weights=None if current_weights is None else _by_token(current_weights),
        config=config,
        data=data,
        on_note=notes.append,
    )
    tell_notes([*notes, *document["notes"]])
    if as_json:
        typer.echo(to_json(document), nl=False)
        return
    for line in weights_lines(document):
        typer.echo(line)
    if state is not None:
        typer.echo(f"state: {state}")


def _by_token(text: str) -> dict[str, float]:
    """`BTC=0.5,ETH=0.5` as a table."""
    table: dict[str, float] = {}
    for part in text.split(","):
        token, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not equals or token in table or not math.isfinite(value):
            raise UsageError(f"--current-weights: {part.strip()!r} is no TOKEN=WEIGHT; write BTC=0.5,ETH=0.3,USDC=0.2")
        table[token] = value
    return table
