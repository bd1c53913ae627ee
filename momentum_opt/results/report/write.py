"""Files of a report: a page in; its HTML file and a folder of its figures as SVG and PNG out."""

import os
from pathlib import Path

from momentum_opt.errors import DataError
from momentum_opt.results.files import write_whole
from momentum_opt.results.report.page import MARK, Page
from momentum_opt.results.report.vega import png, svg

_HEAD_BYTES = 4096
_END = b"</html>\n"


def write_page(built: Page, page: Path, figures: Path | None) -> None:
    """Write the page and its figures, each file under a temporary name first.

    Args:
        built: the page.
        page: the HTML file; replaced where it is there.
        figures: folder for an SVG and a PNG of each figure; None writes none.

    Raises:
        DataError: a file cannot be written.
    """
    try:
        if figures is not None:
            figures.mkdir(parents=True, exist_ok=True)
            for plot in built.plots:
                drawn = svg(plot)
                write_whole(figures / f"{plot.key}.svg", drawn.encode())
                write_whole(figures / f"{plot.key}.png", png(drawn))
        write_whole(page, built.html.encode())  # last: where it is there, its figures are
    except OSError as error:
        raise DataError(f"{page}: cannot be written ({error.strerror}); give another --out") from error


def is_current(page: Path, inputs: str) -> bool:
    """Whether a page was made from just these inputs, and is whole."""
    try:
        with page.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(_END)))
            whole = file.read().rstrip().endswith(_END.rstrip())
    except OSError:
        return False
    return whole and f'{MARK}{inputs}">'.encode() in head
