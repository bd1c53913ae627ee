"""The help text of every configuration key: the docstring below a section's field, read from the section's source."""

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from momentum_opt.fingerprint.sections import Section


@cache
def help_texts(section: type[Section]) -> Mapping[str, str]:
    """Field of a section class → the text below it."""
    (tree,) = ast.parse(inspect.getsource(section)).body
    assert isinstance(tree, ast.ClassDef)
    texts: dict[str, Any] = {}
    for before, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(before.target, ast.Name)
            texts[before.target.id] = after.value.value
    return texts
