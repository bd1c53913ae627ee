"""A Python file in, its mutants out: cosmic-ray's operators, less what cannot change behaviour or cannot run at all."""

import ast
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

PRAGMA = "pragma: no mutate"
NEEDS_ARGUMENTS = ("VariableReplacer", "VariableInserter")
"""Operators that want to be told a variable's name."""
TRIVIAL = ("_RShift", "_LShift", "_BitOr", "_BitAnd", "_BitXor", "_Is", "_IsNot", "_Invert")
"""Replacements that raise TypeError on floats, or compare identity where equality was meant: easily killed, they would
flatter the share, so an operator gets them only in place of one of their own kind."""
UNTOUCHED = ("name", "string", "newline", "endmarker")
"""Nodes that no operator looks at; left out because most nodes are of these types."""
ANNOTATED = {"arg": "annotation", "AnnAssign": "annotation", "FunctionDef": "returns", "AsyncFunctionDef": "returns"}

Span = tuple[tuple[int, int], tuple[int, int]]


class Mutant(NamedTuple):
    """One change of one file: cosmic-ray's operator, and which of its places in that file."""

    path: str
    operator: str
    occurrence: int
    line: int


def sample(root: Path, paths: list[str], count: int, seed: int) -> tuple[list[Mutant], int]:
    """`count` mutants that compile and differ from the file, in random order; and how many there are to draw from.

    Those that turn out not to compile, or to mean the same, are passed over for the next ones drawn.
    """
    pool = [mutant for path in sorted(paths) for mutant in mutants_of(path, (root / path).read_text())]
    random.Random(seed).shuffle(pool)
    drawn: list[Mutant] = []
    for mutant in pool:
        if len(drawn) == count:
            break
        source = (root / mutant.path).read_text()
        if _differs(source, mutated(source, mutant)):
            drawn.append(mutant)
    return drawn, len(pool)


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """All places of a file that an operator changes, annotations and lines with the pragma left out."""
    nodes = [node for node in ast_nodes(get_ast(source)) if node.type not in UNTOUCHED]
    lines = source.splitlines()
    annotations = _annotations(source)
    for name in _operators():
        operator = get_operator(name)()
        positions = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            annotated = any(low <= start and end <= high for low, high in annotations)
            if not annotated and PRAGMA not in lines[start[0] - 1]:
                yield Mutant(path, name, occurrence, start[0])


def mutated(source: str, mutant: Mutant) -> str:
    """The file with that one change."""
    changed = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence)
    if changed is None:
        raise ValueError(f"`{mutant.path}` has no place {mutant.occurrence} for {mutant.operator}: draw a new sample")
    return changed


@cache
def _operators() -> list[str]:
    return [name for name in operator_names() if not name.endswith(NEEDS_ARGUMENTS) and not _is_trivial(name)]


def _is_trivial(name: str) -> bool:
    """Whether `…_From_To` puts one of `TRIVIAL` in the place of something else."""
    source, _, target = name.rpartition("_")
    return f"_{target}" in TRIVIAL and not source.endswith(TRIVIAL)


def _annotations(source: str) -> list[Span]:
    """Where type hints stand."""
    found: list[Span] = []
    for node in ast.walk(ast.parse(source)):
        hint = getattr(node, ANNOTATED.get(type(node).__name__, ""), None)
        if hint is not None:
            found.append(((hint.lineno, hint.col_offset), (hint.end_lineno, hint.end_col_offset)))
    return found


def _differs(source: str, changed: str) -> bool:
    """Whether the change compiles and is more than another way to write the same."""
    try:
        return ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)) and bool(compile(changed, "", "exec"))
    except SyntaxError:
        return False
