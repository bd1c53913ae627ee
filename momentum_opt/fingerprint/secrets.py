"""Passwords stay out of files and screens: a storage URL in, the same with its password hidden out."""

import copy
import re
from collections.abc import Mapping
from typing import Any


def without_password(url: str) -> str:
    """The URL with `***` in place of a password; anything else as it is."""
    return re.sub(r"(://[^/:@]*):[^/@]*@", r"\1:***@", url)


def recordable(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint's dict as it may be written to a file."""
    content = copy.deepcopy(dict(fingerprint))
    settings = content["optimisation_settings"]["optuna_settings"]
    settings["storage"] = without_password(settings["storage"])
    return content
