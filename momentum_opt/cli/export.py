"""`momentum-opt export`: the values to deploy a tuned pool with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from momentum_opt.cli.config import AsJson, Data, Params, one_result, tell_notes
from momentum_opt.onchain.defaults import MAX_TRADE_SIZE_RATIO

if TYPE_CHECKING:
    from momentum_opt.api.exporting import ExportResult

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="CONFIG", help="Configuration for params alone.", show_default=False),
]


def export(
    params: Params,
    addresses: Annotated[
        Path, typer.Option("--addresses", metavar="FILE", help="YAML, one line TOKEN: 0x… for each token.")
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DATE", help="Time of the first update; as late as the prices allow."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write.")] = Path("deployment.json"),
    accept_verdict: Annotated[
        bool,
        typer.Option("--accept-verdict", help="Export although a rule of the verdict is not met, or there is none."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    max_trade_size_ratio: Annotated[
        float, typer.Option("--max-trade-size-ratio", metavar="SHARE", help="Largest trade, a share of the reserves.")
    ] = MAX_TRADE_SIZE_RATIO,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write the values to deploy a pool with, every rule of the contract checked."""
    file = one_result(params)
    from momentum_opt.api import exporting
    from momentum_opt.api.tuned_pool import moment

    notes: list[str] = []
    result = exporting.export(
        file,
        addresses,
        at=None if at is None else moment(at, "--at"),
        config=config,
        data=data,
        max_trade_size_ratio=max_trade_size_ratio,
        accept_verdict=accept_verdict,
        on_note=notes.append,
    )
    replaced = exporting.write_export(result, out, force=force)
    tell_notes(notes)
    _print(result, out, replaced=replaced, as_json=as_json)


def _print(result: "ExportResult", out: Path, *, replaced: bool, as_json: bool) -> None:
    from momentum_opt.cli.render_onchain import deployment_lines
    from momentum_opt.results.files import to_json

    for line in result.notes:
        typer.echo(f"note: {line}", err=True)
    if replaced:
        typer.echo(f"replaced: {out}", err=True)
    if as_json:
        typer.echo(to_json({**result.document, "written": str(out)}), nl=False)
        return
    for line in deployment_lines(result.document):
        typer.echo(line)
    typer.echo(f"written: {out}")
