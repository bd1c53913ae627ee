"""matplotlib's SVG in, an SVG that can stand inside a page out: colours as CSS variables, text in the page's font."""

import re
from html import escape
from typing import Final

from momentum_opt.results.report.palette import PALETTE

_ROLES: Final = {colour.light: role for role, colour in PALETTE.items()}
_COLOUR: Final = re.compile("|".join(_ROLES))


def inline(text: str, name: str, title: str, description: str) -> str:
    """Make a drawn SVG part of a page.

    Args:
        text: the file that matplotlib wrote.
        name: unique on the page; every id begins with it, so that two figures never share one.
        title: its short name.
        description: what it shows, in words.
    """
    body = text[text.index("<svg") :]
    box = re.search(r'viewBox="([^"]+)"', body)
    assert box is not None
    body = body[body.index(">") + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = _with_ids(body, name)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = _COLOUR.sub(lambda match: f"var(--{_ROLES[match[0]]})", body)
    body = re.sub(r"\n\s*", "\n", body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{box[1]}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}'
    )


def _with_ids(body: str, name: str) -> str:
    """Ids that something refers to, with `name` before them; the others go."""
    used = set(re.findall(r'href="#([^"]+)"', body)) | set(re.findall(r"url\(#([^)]+)\)", body))
    body = re.sub(r' id="([^"]+)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", body)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
