"""Draw figures with Vega (BSD-3-Clause): its script for the page, and SVG and PNG files without a browser."""

import re
from importlib.metadata import version
from typing import Final

from momentum_opt.caching import Cache, cache_folder
from momentum_opt.results.report.plot import Plot, for_file

_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"
_KEPT: Final = 2
_SCALE: Final = 2.0
"""Pixels of a PNG per pixel of the page."""
_CLIP: Final = re.compile(r"(?<=[\"#])clip\d+(?=[\")])")
"""A clip's name, which Vega counts through all figures of a process."""


def script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which sets `vegaEmbed`.

    vl-convert carries them and takes some seconds to join them, so the result is kept among the user's caches.
    """
    folder, key = cache_folder(), f"vega-embed-{version('vl-convert-python')}"
    kept = None if folder is None else Cache(folder / "page", ".js", most=_KEPT)
    found = None if kept is None else kept.get(key)
    if found is not None:
        return found.decode()
    import vl_convert

    made = vl_convert.javascript_bundle(_SNIPPET)
    if kept is not None:
        kept.put(key, made.encode())
    return made


def svg(plot: Plot) -> str:
    """A figure as an SVG file, the same text each time."""
    import vl_convert

    drawn, places = vl_convert.vegalite_to_svg(for_file(plot)), dict[str, str]()
    return _CLIP.sub(lambda found: places.setdefault(found[0], f"clip{len(places)}"), drawn)


def png(drawn: str) -> bytes:
    """A PNG file of an SVG file, at twice its size."""
    import vl_convert

    return vl_convert.svg_to_png(drawn, scale=_SCALE)
