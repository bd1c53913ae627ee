"""Executes docs/notebook.ipynb and stores what its cells give: `python -m docs.run_notebook`. Needs no Jupyter."""

import ast
import base64
import contextlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / "notebook.ipynb"


def main() -> None:
    """Run all cells in order, from the folder of the notebook, and write their outputs into it."""
    os.chdir(HERE)
    mpl.use("agg")
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
    """Run one cell as Jupyter would: what it prints, its figures, and the value of a last bare expression."""
    from matplotlib import pyplot

    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    if text := printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}
    for number in pyplot.get_fignums():
        image = io.BytesIO()
        pyplot.figure(number).savefig(image, format="png", dpi=80, bbox_inches="tight", metadata={"Software": None})
        data = {"image/png": base64.b64encode(image.getvalue()).decode()}
        yield {"output_type": "display_data", "data": data, "metadata": {}}
    figures = bool(pyplot.get_fignums())
    pyplot.close("all")
    if value is not None and not figures:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        yield {"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}}


if __name__ == "__main__":
    main()
