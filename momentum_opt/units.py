"""Minutes, days and years as the whole package counts them (SPEC §1, §10): 24-hour days, 365-day years, UTC."""

from typing import Final

MINUTES_PER_DAY: Final = 1440
DAYS_PER_WEEK: Final = 7
DAYS_PER_MONTH: Final = 30
DAYS_PER_YEAR: Final = 365
MINUTES_PER_YEAR: Final = DAYS_PER_YEAR * MINUTES_PER_DAY
MS_PER_MINUTE: Final = 60_000
MS_PER_DAY: Final = MINUTES_PER_DAY * MS_PER_MINUTE


def counted(count: int, noun: str) -> str:
    """A number of things in words: `1 trial`, `1,000 trials`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
