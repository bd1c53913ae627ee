"""The command line as a tree: which commands there are, what their help prints, whether a line parses."""

import shlex
from collections.abc import Iterator
from typing import Any

import typer.main
from typer.testing import CliRunner

from momentum_opt.cli.app import app


def command_words() -> list[tuple[str, ...]]:
    """Every command by its words, the program itself first."""
    return [(), *(path for path, _ in _below(typer.main.get_command(app), ()))]


def help_text(words: tuple[str, ...]) -> str:
    return CliRunner().invoke(app, [*words, "--help"], prog_name="momentum-opt").stdout


def parses(line: str) -> None:
    """Take a line apart as the program would, options and types checked, and run nothing.

    Raises:
        Exception: of the parser, with what it does not accept.
    """
    program, *arguments = shlex.split(line, comments=True)
    assert program == "momentum-opt", line
    tree = typer.main.get_command(app)
    called: list[str] = []
    for path, command in _below(tree, ()):
        if not hasattr(command, "commands"):
            command.callback = lambda path=path, **_: called.append(" ".join(path))
    tree.main([argument for argument in arguments if argument != "--debug"], "momentum-opt", standalone_mode=False)
    assert len(called) == 1, line


def _below(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from _below(command, (*path, name))
