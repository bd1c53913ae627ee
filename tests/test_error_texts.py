"""All errors that are raised with a text of their own, as one list: each says what to do, or which rule was broken."""

import ast
import inspect
from collections.abc import Iterator

from momentum_opt import errors
from tests.sample_runs import ROOT

OURS = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MomentumOptError)}
SAYS_WHAT_TO_DO = (";", " must ", "give ", "write ", "?")
PASSED_ON = "{error}"
"""An inner error's text behind the place where it happened."""


def texts() -> Iterator[tuple[str, str]]:
    """Place and text of every error of the package."""
    for path in sorted((ROOT / "momentum_opt").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
                continue
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            text = written(node.exc.args[0])
            if name in OURS and text is not None:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def written(node: ast.expr) -> str | None:
    """The text of a literal, with what is filled in as it stands in the code; None for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                for part in parts
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
        case ast.Tuple(elts=[first, *_]) | ast.List(elts=[first, *_]):
            return written(first)
        case _:
            return None


def test_every_error_says_what_to_do():
    found = list(texts())
    assert len(found) > 200
    dumb = [
        f"{place}: {text}"
        for place, text in found
        if not any(word in text for word in SAYS_WHAT_TO_DO) and not text.endswith((PASSED_ON, "{what}"))
    ]
    assert dumb == []


def test_errors_are_one_line_without_a_full_stop():
    odd = [f"{place}: {text}" for place, text in texts() if "\n" in text or text.endswith((".", "!"))]
    assert odd == []
