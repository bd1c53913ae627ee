"""The command line as a tree: whether a line parses."""

import shlex

import typer.main

from docs.hooks.commands import tree_of
from momentum_opt.cli.app import app


def parses(line: str) -> None:
    """Take a line apart as the program would, options and types checked, and run nothing.

    Raises:
        Exception: of the parser, with what it does not accept.
    """
    program, *arguments = shlex.split(line, comments=True)
    assert program == "momentum-opt", line
    root = typer.main.get_command(app)
    called: list[str] = []
    for path, command in tree_of(root):
        if not hasattr(command, "commands"):
            command.callback = lambda path=path, **_: called.append(" ".join(path))
    root.main([argument for argument in arguments if argument != "--debug"], "momentum-opt", standalone_mode=False)
    assert len(called) == 1, line
