"""What reading a damaged parquet, feather or CSV file may raise."""

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
