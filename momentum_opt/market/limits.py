"""How much is read of one file before it is refused: what prices of a token need, many times over."""

from typing import Final

MOST_ROWS: Final = 10_000_000
"""Rows kept of one source, or held by one price file: nineteen years of minutes."""

MOST_BARS: Final = 20_000_000
"""Rows of all sources of one import together, and minutes of a constant."""

MOST_UNPACKED: Final = 2 << 30
"""Bytes that a packed file, or the chosen members of a zip together, may have when unpacked."""

MOST_MEMBERS: Final = 50_000
"""Files in a zip; the archive of all pairs of an exchange has some ten thousand."""

MOST_IN_ONE_VALUE: Final = 64 << 20
"""Characters of one JSON value that holds all rows, such as the answer of an exchange."""
