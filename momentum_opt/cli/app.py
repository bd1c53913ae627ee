"""The command `momentum-opt`: arguments in; output, one clear line per error and an exit code out (SPEC §16)."""

import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.models import ParameterInfo

from momentum_opt.cli.backtest import backtest
from momentum_opt.cli.compare import compare
from momentum_opt.cli.config import config_app
from momentum_opt.cli.config_new import new
from momentum_opt.cli.data import data_app
from momentum_opt.cli.examples import examples
from momentum_opt.cli.export import export
from momentum_opt.cli.rehearse import rehearse
from momentum_opt.cli.report import report
from momentum_opt.cli.runs import runs
from momentum_opt.cli.stopping import INTERRUPTED, Interrupted, Phase, ignore_signals, leave_if, stop_request
from momentum_opt.cli.streams import drop_unwritten, open_streams
from momentum_opt.cli.surroundings import check_names, explained
from momentum_opt.cli.sweep import sweep
from momentum_opt.cli.trials import trials_app
from momentum_opt.cli.tune import tune
from momentum_opt.cli.walk_forward import walk_forward
from momentum_opt.cli.weights import weights
from momentum_opt.errors import MomentumOptError, UsageError
from momentum_opt.passwords import masked_messages, remember

FAILED = 1

app = typer.Typer(
    name="momentum-opt",
    help="Tune a QuantAMM momentum pool on real prices, replay the winner, trust the number.",
    epilog=examples(
        "", "Exit codes: 0 done, 1 failed while running, 2 bad usage, configuration or data, 130 interrupted."
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.command(epilog=examples("tune"))(tune)
app.command(epilog=examples("backtest"))(backtest)
app.command(epilog=examples("runs"))(runs)
app.command(epilog=examples("compare"))(compare)
app.command(epilog=examples("report"))(report)
app.command(epilog=examples("sweep"))(sweep)
app.command(epilog=examples("walk-forward"))(walk_forward)
app.command(epilog=examples("export"))(export)
app.command(epilog=examples("rehearse"))(rehearse)
app.command(epilog=examples("weights"))(weights)
config_app.command(epilog=examples("config new"))(new)
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")
app.add_typer(trials_app, name="trials")


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"momentum-opt {version('momentum-opt')}")
        except PackageNotFoundError:
            typer.echo("momentum-opt, version unknown: the package is not installed")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # its callback acts
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[  # taken out by `main`, which accepts it anywhere
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    Args:
        arguments: without the program's name; None takes those of the process.

    Raises:
        SystemExit: always.
    """
    open_streams()
    given = sys.argv[1:] if arguments is None else arguments
    remember(given)
    with masked_messages():
        _guarded(*_take_debug(given), alone=arguments is None)


def _guarded(debug: bool, rest: Sequence[str], *, alone: bool) -> None:
    """Run one command; whatever ends it is one line and an exit code. `alone`: the process is there for it only."""
    warnings.showwarning = _show_warning
    if alone:
        ignore_signals()  # once the command has ended: all is written, and Python has nothing left but to leave
    try:
        with stop_request(Phase()):
            _run(rest)
    except (Interrupted, KeyboardInterrupt) as ended:
        _show([str(ended) or Phase().words], debug=debug)
        leave_if(alone)  # a compiler that was cut short may crash as the interpreter is taken down
        sys.exit(INTERRUPTED)
    except MomentumOptError as error:
        problems = error.problems if isinstance(error, UsageError) else (error,)
        lines = [_one_line(problem) for problem in problems]
        _fail(lines, error.exit_code, debug=debug)
    except BrokenPipeError:  # whoever read the output has read enough
        _fail([], FAILED, debug=debug)
    except Exception as error:  # the edge: nothing may leave as a bare traceback
        line, code = explained(error) or (f"unexpected {type(error).__name__}: {_one_line(error)}", FAILED)
        hint = "; --debug shows where" if line.startswith("unexpected") and not debug else ""
        _fail([_one_line(line) + hint], code, debug=debug)


def _run(arguments: Sequence[str]) -> None:
    """Leaves through SystemExit; usage errors with 2."""
    if not {"--help", "--version"} & set(arguments):
        check_names(arguments)
    try:
        app(arguments, prog_name="momentum-opt")
    finally:
        sys.stdout.flush()  # while it can be told that this fails


def _leave_paths_alone(commands: typer.Typer) -> None:
    """Leave it to those who open a path to say that it may not be read; typer says it in four lines."""
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _leave_paths_alone(group.typer_instance)
    callbacks = [*commands.registered_commands, commands.registered_callback]
    for callback in [one.callback for one in callbacks if one is not None and one.callback is not None]:
        for annotation in callback.__annotations__.values():
            for info in getattr(annotation, "__metadata__", ()):
                if isinstance(info, ParameterInfo):
                    info.readable = False


_leave_paths_alone(app)


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether `--debug` stands before a `--`, and the arguments without it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    head = [argument for argument in arguments[:end] if argument != "--debug"]
    return len(head) < end, [*head, *arguments[end:]]


def _one_line(error: BaseException | str) -> str:
    return " ".join(str(error).split())


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    typer.echo(f"warning: {category.__name__}: {' '.join(str(message).split())}", err=True)


def _fail(lines: Sequence[str], code: int, *, debug: bool) -> None:
    _show(lines, debug=debug)
    sys.exit(code)


def _show(lines: Sequence[str], *, debug: bool) -> None:
    drop_unwritten()
    if debug:
        traceback.print_exc()
    for line in lines:
        typer.echo(f"error: {line}", err=True)
