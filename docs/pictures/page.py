"""The picture of a report: the page of the quickstart's run as Chromium shows it, cut to its head, as PNG.

`python -m docs.pictures.page` tunes the bundled sample in a folder of its own; with `RUN` it takes that run folder.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parents[1] / "configs" / "quickstart.yaml"
SIZE = (1000, 1250)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FRAME = 200
"""Pixels that a window may have around the page."""
PATIENCE_MS = 20_000
"""Of the page's own time, within which its figures are drawn."""


def main() -> None:
    """Draw the picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        run = Path(sys.argv[1]) if len(sys.argv) > 1 else _tuned(Path(folder))
        _command("report", run, "--out", page)
        draw(page, HERE / "report.png")


def draw(page: Path, path: Path) -> None:
    """Show a page in a headless Chromium and write the head of it, in a palette of 64 colours.

    Raises:
        SystemExit: there is no Chromium.
    """
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit("no Chromium (chromium, chromium-browser or google-chrome); install one to draw the report")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
            f"--virtual-time-budget={PATIENCE_MS}", f"--window-size={SIZE[0]},{SIZE[1] + _FRAME}",
            f"--user-data-dir={folder}/profile", f"--screenshot={shot}",
        ]  # fmt: skip
        subprocess.run([program, *flags, page.resolve().as_uri()], check=True, capture_output=True, timeout=120)
        picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB").crop((0, 0, *SIZE))
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def _tuned(folder: Path) -> Path:
    """The run of the quickstart, as README shows it."""
    _command("tune", CONFIG, "--no-report", cwd=folder)
    (run,) = (folder / "runs").glob("quickstart-*")
    return run


def _command(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([sys.executable, "-m", "momentum_opt", *map(str, words)], check=True, cwd=cwd)


if __name__ == "__main__":
    main()
