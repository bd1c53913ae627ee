"""What a page of the report is made of, read by Python's own HTML parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Outline(HTMLParser):
    """Ids, links, headings and text of a page, and elements that were not closed in order."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        self._note(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._note(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings.append((self._open[-1], data.strip()))
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All words of the page."""
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def _note(self, attributes: dict[str, str | None]) -> None:
        if "id" in attributes:
            self.ids.append(attributes["id"] or "")
        for name in ("href", "xlink:href"):
            if name in attributes:
                self.links.append(attributes[name] or "")
        if "src" in attributes:
            self.sources.append(attributes["src"] or "")


def outline(html: str) -> Outline:
    """Parse a page."""
    found = Outline()
    found.feed(html)
    found.close()
    return found
