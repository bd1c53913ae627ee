"""The pages' blocks of code: Markdown in, commands, snippets and configurations out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.sample_runs import ROOT

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """One block of a page."""

    page: str
    language: str
    text: str
    mark: str
    """The comment just before it."""


def blocks(language: str) -> list[Block]:
    """All blocks in a language, page by page."""
    return [block for page in PAGES for block in _blocks_of(page) if block.language == language]


def _blocks_of(page: Path) -> Iterator[Block]:
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(page.name, found["language"], found["text"], found["mark"] or "")


def command_lines() -> list[tuple[str, str]]:
    """Page and line of every command behind a `$`; what a backslash continues is one line."""
    return [
        (block.page, line[2:].strip())
        for block in blocks("console")
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.startswith("$ ")
    ]
