"""The executed notebook → a page: text as it is, code, and what the code gave."""

import base64
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
        elif "image/svg+xml" in output["data"]:
            drawn = base64.b64encode("".join(output["data"]["image/svg+xml"]).encode()).decode()
            yield f"![{''.join(output['data']['text/plain'])[1:-1]}](data:image/svg+xml;base64,{drawn})"
        elif "text/html" in output["data"]:
            yield _without_blank_lines("".join(output["data"]["text/html"]))
        else:
            yield f"```text\n{''.join(output['data']['text/plain']).rstrip()}\n```"


def _without_blank_lines(html: str) -> str:
    """A block of HTML, which Markdown takes as it is up to the first blank line."""
    return "\n".join(line for line in html.splitlines() if line.strip())
