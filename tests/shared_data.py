"""Where the shared prices and golden numbers are: `../shared` beside the checkout, or `MOMENTUM_OPT_SHARED`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


def _find() -> Path | None:
    named = os.environ.get("MOMENTUM_OPT_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "golden").is_dir() else None


SHARED = _find()
"""The shared folder, or None in a clone that has none beside it."""

needs_shared = pytest.mark.needs_shared
"""A test that `conftest.py` leaves out where there is no shared folder."""


def minute_prices() -> Path:
    """Folder of the real minute prices; only for tests marked `needs_shared`."""
    assert SHARED is not None
    return SHARED / "data" / "minute"


def golden(name: str) -> Any:
    """A golden file; an empty list where there is no shared folder: what is parametrised over it `needs_shared`."""
    return json.loads((SHARED / "golden" / name).read_text()) if SHARED else []
