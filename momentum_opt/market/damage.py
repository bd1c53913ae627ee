"""What reading a damaged parquet, feather or CSV file may raise, and how it is said in one line."""

import json

import pyarrow as pa

UNREADABLE: tuple[type[Exception], ...] = (
    pa.ArrowException,
    OSError,
    OverflowError,
    UnicodeDecodeError,  # names that are not UTF-8
    json.JSONDecodeError,  # what pandas wrote about its index
)
"""A reader turns these into a `DataError` that names the file."""


def reason_of(error: Exception) -> str:
    """The first line of what the reader says, or the error's name where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)
