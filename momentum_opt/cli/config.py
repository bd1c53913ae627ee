"""`momentum-opt config`: show, check and import configurations. The fingerprint's modules are imported inside."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentum_opt.cli.completing import complete_configs, complete_settings
from momentum_opt.cli.examples import examples
from momentum_opt.errors import ConfigError, MissingFileError, UsageError
from momentum_opt.units import counted

if TYPE_CHECKING:
    from momentum_opt.fingerprint import Fingerprint

config_app = typer.Typer(
    help="Show, check or import a configuration.",
    epilog=examples("config"),
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="Configuration file (YAML).", show_default=False, autocompletion=complete_configs
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override one value, written as YAML; may be repeated, the last one wins.",
        show_default=False,
        autocompletion=complete_settings,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@config_app.command(epilog=examples("config show"))
def show(config: Config, settings: Settings = None, as_json: AsJson = False) -> None:
    """Print all values, the periods, and which engine runs."""
    from momentum_opt.fingerprint import explain, load_fingerprint, to_yaml_text

    fingerprint = load_fingerprint(config, settings or ())
    meaning = explain(fingerprint)
    values = _without_password(fingerprint.to_yaml_form())
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, **meaning, "config": values}, indent=2, allow_nan=False))
        return
    for line in _meaning_lines(meaning):
        typer.echo(f"# {line}")
    typer.echo(to_yaml_text(values), nl=False)


@config_app.command(epilog=examples("config check"))
def check(config: Config, settings: Settings = None) -> None:
    """Check a configuration; list all its mistakes at once."""
    from momentum_opt.fingerprint import load_fingerprint

    typer.echo(f"{config}: no mistakes; {_summary(load_fingerprint(config, settings or ()))}")


@config_app.command("import", epilog=examples("config import"))
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON fingerprint of the incumbent simulator.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here instead of to stdout.", show_default=False)
    ] = None,
) -> None:
    """Turn the incumbent's JSON fingerprint into YAML."""
    from momentum_opt.fingerprint import import_fingerprint

    text, ignored = import_fingerprint(_read_json(file), name=str(file))
    for key in ignored:
        typer.echo(f"ignored, not about a momentum pool: {key}", err=True)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{out}: exists already; give another name to --out, or remove it") from None
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); give another name to --out") from None


def _meaning_lines(meaning: dict[str, Any]) -> list[str]:
    engine = meaning["engine"]
    lines = [f"digest: {meaning['digest']}", f"engine: {_ENGINES[engine['name']]}; {engine['reason']}"]
    for name, period in meaning["periods"].items():
        shown = (
            f"{counted(period['days'], 'day')}, {period['start']} to {period['end']} (exclusive)" if period else "none"
        )
        lines.append(f"{name}: {shown}")
    return lines + [f"note: {note}" for note in meaning["notes"]]


_ENGINES = {
    "closed_form": "closed form per chunk",
    "in_chunk": "sum inside each chunk",
    "with_costs": "minute loop with costs",
}


def _summary(fingerprint: "Fingerprint") -> str:
    days = fingerprint.periods.total_days
    return f"{'/'.join(fingerprint.tokens)}, {counted(days, 'day')}, digest {fingerprint.digest[:8]}"


def _without_password(values: dict[str, Any]) -> dict[str, Any]:
    from momentum_opt.fingerprint import without_password

    search = values["search"]
    return {**values, "search": {**search, "storage": without_password(search["storage"])}}


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(f"{file}: no such file; give the path of a JSON fingerprint") from None
    except json.JSONDecodeError as error:
        raise ConfigError((f"{file}:{error.lineno}: not valid JSON: {error.msg}; give a JSON fingerprint",)) from None
    except (OSError, ValueError, RecursionError) as error:  # no UTF-8, a number of thousands of digits, brackets
        raise ConfigError((f"{file}: cannot be read as text ({error}); give a JSON fingerprint",)) from None
    if not isinstance(content, dict):
        raise ConfigError((f"{file}: not a JSON object; give a JSON fingerprint",))
    return content
