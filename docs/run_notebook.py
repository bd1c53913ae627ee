"""Executes docs/notebook.ipynb and stores what its cells give: `python -m docs.run_notebook`. Needs no Jupyter."""

import ast
import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / "notebook.ipynb"
_KEPT = ("image/svg+xml", "text/plain")


def main() -> None:
    """Run all cells in order, from the folder of the notebook, and write their outputs into it."""
    os.chdir(HERE)
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    count = 0
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
            cell["outputs"] = list(run_cell("".join(cell["source"]), names, count))
    NOTEBOOK.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run_cell(source: str, names: dict[str, Any], count: int = 0) -> Iterator[dict[str, Any]]:
    """Run one cell as Jupyter would: what it prints, and the value of a last bare expression as it shows itself."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    if text := printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}
    if value is not None:
        data = {kind: text.splitlines(keepends=True) for kind, text in _shown(value).items()}
        yield {"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}}


def _shown(value: Any) -> dict[str, str]:
    """What a value says of itself; of a figure the picture, without its data."""
    if hasattr(value, "_repr_mimebundle_"):
        return {kind: text for kind, text in value._repr_mimebundle_().items() if kind in _KEPT}
    html = {"text/html": value._repr_html_()} if hasattr(value, "_repr_html_") else {}
    return {"text/plain": repr(value), **html}


if __name__ == "__main__":
    main()
