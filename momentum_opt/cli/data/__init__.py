"""`momentum-opt data …`: price files. The commands parse, call the market layer and show what came out."""

import typer

from momentum_opt.cli.data.check import check
from momentum_opt.cli.data.importing import import_prices
from momentum_opt.cli.data.sample import sample

data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Price files: check, import, or make a synthetic sample."
)
data_app.command()(check)
data_app.command("import")(import_prices)
data_app.command()(sample)
