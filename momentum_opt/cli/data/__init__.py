"""`momentum-opt data …`: price files. The commands parse, call the market layer and show what came out."""

import typer

from momentum_opt.cli.data.check import check
from momentum_opt.cli.data.importing import import_prices
from momentum_opt.cli.data.sample import sample
from momentum_opt.cli.examples import examples

data_app = typer.Typer(
    help="Price files: check, import, or make a synthetic sample.",
    epilog=examples("data"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
data_app.command(epilog=examples("data check"))(check)
data_app.command("import", epilog=examples("data import"))(import_prices)
data_app.command(epilog=examples("data sample"))(sample)
