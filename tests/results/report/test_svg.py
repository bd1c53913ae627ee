import re

from momentum_opt.results.report.canvas import Canvas, Plot, draw
from momentum_opt.results.report.palette import PALETTE, TOKENS, light
from momentum_opt.results.report.svg import inline

DRAWN = f"""<?xml version="1.0"?>
<!DOCTYPE svg>
<svg width="10pt" height="5pt" viewBox="0 0 10 5" version="1.1"><metadata>x</metadata><!-- y -->
 <g id="figure_1"><defs><path id="m1" style="stroke: {light("ink")}"/></defs>
 <use xlink:href="#m1" style="fill: {light("pool")}"/><g clip-path="url(#p1)"><clipPath id="p1"/></g>
 <text style="font: 10px 'DejaVu Sans'; text-anchor: middle">a</text></g></svg>"""


def test_colours_become_variables_and_ids_unique():
    made = inline(DRAWN, "equity-wide", 'Value & "more"', "a < b")
    assert "var(--ink)" in made
    assert "var(--pool)" in made
    assert "#0b5fad" not in made
    assert 'id="equity-wide-m1"' in made
    assert 'href="#equity-wide-m1"' in made
    assert "url(#equity-wide-p1)" in made
    assert "figure_1" not in made
    assert "metadata" not in made
    assert "font-size: 10px; text-anchor: middle" in made
    assert made.startswith("<svg")
    assert 'role="img"' in made
    assert "Value &amp; &quot;more&quot;</title>" in made
    assert "a &lt; b</desc>" in made


def test_no_two_roles_share_a_colour():
    every = [colour for pair in PALETTE.values() for colour in pair] + list(TOKENS)
    assert len(every) == len(set(every))
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in every)


def test_a_figure_knows_its_width_and_many_points_are_pixels():
    widths: list[float] = []

    def scatter(canvas: Canvas) -> None:
        widths.append(canvas.width)
        (axes,) = canvas.panels(100)
        axes.plot(range(3000), range(3000), "o", color=light("pool"), rasterized=True)
        axes.set_xlabel("trial")

    plot = Plot("scatter", "title", "alt", "caption", scatter)
    made = draw(plot)
    assert widths == [640.0, 330.0]
    assert made.wide.count("<image") == 1
    assert len(made.wide) < 60_000
    assert "trial</text>" in made.wide  # text stays text
    assert made.png.startswith(b"\x89PNG")
    assert draw(plot) == made  # the same page from the same files
