"""The command line → the page of all commands: what `--help` prints of each."""

from collections.abc import Iterator
from typing import Any

import typer.main
from typer.testing import CliRunner

from momentum_opt.cli.app import app

_INTRO = """\
# Commands

What `momentum-opt … --help` prints. Data go to stdout, everything else to stderr; `--json` prints one JSON document;
`--debug` may stand anywhere and shows the traceback of an error. Exit codes: 0 done, 1 failed while running, 2 bad
usage, configuration or data, 130 interrupted.

Completion for bash, zsh and fish: `momentum-opt --install-completion` once, then the Tab key completes commands,
options, configuration files, run folders, and keys and words of `--set`.
"""


def page() -> str:
    """The page, in Markdown."""
    parts = [_INTRO]
    for words in command_words():
        title = f"momentum-opt {' '.join(words)}".strip()
        parts.append(f"## {title}\n\n```text\n{help_text(words)}\n```")
    return "\n\n".join(parts) + "\n"


def command_words() -> list[tuple[str, ...]]:
    """Every command by its words, the program itself first."""
    return [(), *(path for path, _ in tree_of(typer.main.get_command(app)))]


def tree_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Words and command of everything below a group."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from tree_of(command, (*path, name))


def help_text(words: tuple[str, ...]) -> str:
    """What `--help` prints, a hundred columns wide."""
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="momentum-opt", terminal_width=100, env={"COLUMNS": "100"}
    )
    return "\n".join(line.rstrip() for line in result.stdout.strip().splitlines())
