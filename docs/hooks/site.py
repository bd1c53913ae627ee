"""What mkdocs calls while it builds: adds the generated pages, and turns equations into MathML."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from docs.hooks import commands, configuration, incumbent, mathematics, metrics, notebook

GENERATED = {
    "configuration.md": configuration.page,
    "metrics.md": metrics.page,
    "commands.md": commands.page,
    "notebook.md": notebook.page,
}


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the pages that are made from the code."""
    for name, page in GENERATED.items():
        files.append(File.generated(config, name, content=page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the generated part of a page."""
    return incumbent.with_keys(markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Let browsers draw the equations themselves."""
    return mathematics.to_mathml(html)
