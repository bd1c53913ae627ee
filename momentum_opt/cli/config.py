"""`momentum-opt config`: show, check and import configurations. The fingerprint's modules are imported inside."""

import json
import shlex
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentum_opt.cli.completing import complete_configs, complete_runs, complete_settings
from momentum_opt.cli.examples import examples
from momentum_opt.errors import ConfigError, MissingFileError, UsageError
from momentum_opt.reading import UnreadableError, read_json_file
from momentum_opt.units import counted

if TYPE_CHECKING:
    from momentum_opt.fingerprint import Fingerprint

config_app = typer.Typer(
    help="Begin, show, check or import a configuration.",
    epilog=examples("config"),
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

MOST_IGNORED = 100
"""Keys of another program's fingerprint that are listed one by one."""

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
        help="Override one value; may be repeated, the last one wins. Paths start at the current folder.",
        show_default=False,
        autocompletion=complete_settings,
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="FOLDER", help="Folder of price files.", show_default=False)
]
Params = Annotated[
    list[Path],
    typer.Option(
        "--params",
        metavar="FILE",
        help="A best.json, the folder of its run, or a file with params alone.",
        show_default=False,
        autocompletion=complete_runs,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def day(text: str | None, option: str) -> date | None:
    """A date of the command line.

    Raises:
        UsageError: it is none.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no date; write it as 2024-06-25") from None


def tell_notes(notes: Sequence[str]) -> None:
    """Lines that a user should know, beside the output; once all has gone well, as a refusal is a line of its own."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


@config_app.command(epilog=examples("config show"))
def show(config: Config, settings: Settings = None, data: Data = None, as_json: AsJson = False) -> None:
    """Print all values, the periods, and which engine runs."""
    from momentum_opt.fingerprint import explain, load_fingerprint, recordable, to_yaml_text

    fingerprint = load_fingerprint(config, overrides_of(settings, data))
    meaning = explain(fingerprint)
    values = recordable(fingerprint.to_yaml_form())
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, **meaning, "config": values}, indent=2, allow_nan=False))
        return
    for line in _meaning_lines(meaning, _searched(fingerprint)):
        typer.echo(f"# {line}")
    typer.echo(to_yaml_text(values), nl=False)


@config_app.command(epilog=examples("config check"))
def check(config: Config, settings: Settings = None, data: Data = None) -> None:
    """Check a configuration; list all its mistakes at once."""
    from momentum_opt.fingerprint import load_fingerprint

    fingerprint = load_fingerprint(config, overrides_of(settings, data))
    typer.echo(f"{config}: no mistakes; {_summary(fingerprint)}")
    for line in _searched(fingerprint):
        typer.echo(line)


def overrides_of(
    settings: list[str] | None, data: Path | None, trials: int | None = None, storage: str | None = None
) -> list[str]:
    """`--set` and the options that stand for one, which win over it, as `a.b=value`."""
    from momentum_opt.fingerprint import OptionSetting

    shortcuts = {
        f"--trials {trials}": ("search.n_trials", trials),
        "--storage": ("search.storage", storage),  # its URL may hold a password
        f"--data {data}": ("data.root", data),
    }
    given = [OptionSetting(f"{key}={value}", name) for name, (key, value) in shortcuts.items() if value is not None]
    return [*(settings or ()), *given]


def one_result(files: Sequence[Path]) -> Path:
    """The params file behind `--params`, of a run folder its best.json, refused before JAX is imported.

    Raises:
        UsageError: it is given more than once, or cannot be used.
    """
    from momentum_opt.results.run_folder import result_file

    if len(files) > 1:
        given = " ".join(shlex.quote(str(file)) for file in files)
        raise UsageError(
            f"--params: given {len(files)} times, and one pool is wanted; momentum-opt compare {given} puts them side "
            "by side"
        )
    file = result_file(files[0])
    check_json(file)
    return file


def check_json(file: Path | None, what: str = "a best.json or a params file") -> None:
    """Refuse a JSON file that cannot be read, before JAX is imported; a pipe can be read only once, and later."""
    from momentum_opt.paths import exists, is_file
    from momentum_opt.results.files import read_json

    if file is not None and (is_file(file) or not exists(file)):
        read_json(file, what)


@config_app.command("import", epilog=examples("config import"))
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON fingerprint of the incumbent simulator.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here instead of to stdout.", show_default=False)
    ] = None,
) -> None:
    """Turn the quantammsim's JSON fingerprint into YAML."""
    from momentum_opt.fingerprint import import_fingerprint

    text, ignored = import_fingerprint(_read_json(file), name=str(file), folder=file.parent)
    for key in ignored[:MOST_IGNORED]:
        typer.echo(f"ignored, not about a momentum pool: {key}", err=True)
    if len(ignored) > MOST_IGNORED:
        typer.echo(f"ignored as well: {len(ignored) - MOST_IGNORED:,} more keys", err=True)
    write_new(out, text)


def write_new(out: Path | None, text: str) -> None:
    """Write a file that is not there yet; to stdout without one.

    Raises:
        UsageError: it is there, or cannot be written.
    """
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


def _searched(fingerprint: "Fingerprint") -> list[str]:
    """Where the search looks, in both units."""
    from momentum_opt.fingerprint import effective_ranges, range_lines

    return [f"search range: {line}" for line in range_lines(effective_ranges(fingerprint), fingerprint)]


def _meaning_lines(meaning: dict[str, Any], searched: Sequence[str]) -> list[str]:
    engine = meaning["engine"]
    lines = [f"digest: {meaning['digest']}", f"engine: {_ENGINES[engine['name']]}; {engine['reason']}"]
    for name, period in meaning["periods"].items():
        shown = (
            f"{counted(period['days'], 'day')}, {period['start']} to {period['end']} (exclusive)" if period else "none"
        )
        lines.append(f"{name}: {shown}")
    return [*lines, *searched, *(f"note: {note}" for note in meaning["notes"])]


_ENGINES = {
    "closed_form": "closed form per chunk",
    "in_chunk": "sum inside each chunk",
    "with_costs": "minute loop with costs",
}


def _summary(fingerprint: "Fingerprint") -> str:
    days = fingerprint.periods.total_days
    return f"{'/'.join(fingerprint.tokens)}, {counted(days, 'day')}, digest {fingerprint.digest[:8]}"


def _read_json(file: Path) -> dict[str, Any]:
    from momentum_opt.paths import file_fault

    if (fault := file_fault(file, pipe=True)) is not None:
        raise MissingFileError(f"{file}: {fault[0]}; {fault[1]}: give the path of a JSON fingerprint")
    try:
        content = read_json_file(file)
    except FileNotFoundError:
        raise MissingFileError(f"{file}: no such file; give the path of a JSON fingerprint") from None
    except OSError as error:
        raise ConfigError((f"{file}: cannot be read ({error.strerror}); give a JSON fingerprint",)) from None
    except UnreadableError as error:
        place = str(file) if error.line is None else f"{file}:{error.line}"
        raise ConfigError((f"{place}: not valid JSON ({error}); give a JSON fingerprint",)) from None
    if not isinstance(content, dict):
        raise ConfigError((f"{file}: not a JSON object; give a JSON fingerprint",))
    return content
