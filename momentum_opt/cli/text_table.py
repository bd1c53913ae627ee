"""Lay out tables as plain text in the width there is: no word is broken and no value cut."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 100
"""Columns of a table where there is no terminal, so that output does not depend on where it goes."""

_GAP: Final = "   "
_SECTION: Final[tuple[str, ...]] = ()


def width_of_output(otherwise: int = WIDTH) -> int:
    """Columns of the terminal that stdout is, or of COLUMNS; `otherwise` where there is neither."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    try:
        return shutil.get_terminal_size((otherwise, 0)).columns if sys.stdout.isatty() else otherwise
    except (OSError, ValueError):  # stdout is closed
        return otherwise


def filled(text: str, indent: str = "") -> str:
    """A line of prose wrapped between words where a terminal is narrower; later lines begin with `indent`."""
    width = width_of_output(0)
    if not width or len(text) <= width:
        return text
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


@dataclass
class TextTable:
    """A table of text.

    Attributes:
        titles: of the columns.
        left: the columns of words, which stand to the left and may be wrapped between words; numbers and times may not.
        rows: one cell per column; an empty row separates sections.
    """

    titles: Sequence[str]
    left: frozenset[int] = frozenset({0})
    rows: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def add_row(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def add_section(self) -> None:
        """Begin a new section."""
        self.rows.append(_SECTION)

    def text(self, width: int | None = None) -> str:
        """The table in `width` columns; one that is too wide goes on below, with its first column again."""
        most = (width_of_output() if width is None else width) - 1
        return "\n\n".join(self._block(columns, most) for columns in self._blocks(most))

    def _blocks(self, most: int) -> list[list[int]]:
        """The columns of each block: as many as fit beside the first one."""
        blocks, block = [], [0]
        for column in range(1, len(self.titles)):
            if len(block) > 1 and _total(self._narrowest([*block, column])) > most:
                blocks.append(block)
                block = [0]
            block.append(column)
        return [*blocks, block]

    def _narrowest(self, columns: Sequence[int]) -> list[int]:
        """Widths with titles and words wrapped as far as words allow."""
        return [
            max(
                _longest_word(self.titles[column]),
                *(_longest_word(cell) if column in self.left else len(cell) for cell in self._cells(column)),
                0,
            )
            for column in columns
        ]

    def _cells(self, column: int) -> Iterable[str]:
        return (row[column] for row in self.rows if row)

    def _block(self, columns: Sequence[int], most: int) -> str:
        widths = self._widths(columns, most)
        lines = self._lines([self.titles[column] for column in columns], columns, widths)
        if any(self.titles):
            lines.append("─" * _total(widths))
        else:
            lines = []
        for row in self.rows:
            lines += self._lines([row[column] for column in columns], columns, widths) if row else [""]
        return "\n".join(f" {line}".rstrip() for line in lines if line.strip())

    def _widths(self, columns: Sequence[int], most: int) -> list[int]:
        """Natural widths; where they do not fit, titles and columns of words are wrapped, the widest first."""
        widths = [max(map(len, (self.titles[column], *self._cells(column)))) for column in columns]
        least = self._narrowest(columns)
        while (excess := _total(widths) - most) > 0:
            place = max(range(len(columns)), key=lambda one: (widths[one] > least[one], widths[one]))
            room = widths[place] - least[place]
            if room <= 0:
                return [max(1, widths[0] - excess), *widths[1:]] if columns[0] in self.left else widths
            widths[place] -= min(excess, room)
        return widths

    def _lines(self, cells: Sequence[str], columns: Sequence[int], widths: Sequence[int]) -> list[str]:
        wrapped = [_wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        if len(columns) > 1 and max(map(len, wrapped[0])) > widths[0]:  # a name too long to stand beside its values
            return [*wrapped[0], *self._lines(["", *cells[1:]], columns, widths)]
        height = max(map(len, wrapped))
        return [
            _GAP.join(
                _placed(part[line] if line < len(part) else "", width, left=column in self.left)
                for part, width, column in zip(wrapped, widths, columns, strict=True)
            )
            for line in range(height)
        ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _wrapped(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False)


def _placed(text: str, width: int, *, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)
