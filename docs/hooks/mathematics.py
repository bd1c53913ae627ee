"""Equations of a page in LaTeX → the same as MathML, which browsers draw by themselves."""

import html
import re

from latex2mathml.converter import convert

_MARKED = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\s*\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]\s*</(?P=tag)>', re.DOTALL
)


def to_mathml(page: str) -> str:
    r"""A page's HTML with every `\(…\)` and `\[…\]` that Markdown has marked turned into MathML.

    Raises:
        ValueError: an equation that cannot be read, or a command that is not known.
    """
    return _MARKED.sub(_mathml, page)


def _mathml(match: re.Match[str]) -> str:
    tex = html.unescape(match["tex"]).strip()
    text = convert(tex, display="block" if match["open"] == "[" else "inline")
    unknown = re.search(r"\\[a-zA-Z]+", text)
    if unknown:
        raise ValueError(f"equation {tex!r}: {unknown[0]} is not known to the converter; write it another way")
    return text
