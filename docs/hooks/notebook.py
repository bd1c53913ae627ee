"""The executed notebook → a page: text as it is, code, and what the code gave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebook.ipynb"


def page() -> str:
    """The page, in Markdown."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _parts(cell)) + "\n"


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        if "text" in output:
            yield f"```text\n{''.join(output['text']).rstrip()}\n```"
        elif "image/png" in output["data"]:
            yield f"![What the cell draws](data:image/png;base64,{''.join(output['data']['image/png']).strip()})"
        else:
            yield f"```text\n{''.join(output['data']['text/plain']).rstrip()}\n```"
