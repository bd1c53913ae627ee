"""How the messages of this layer write times and durations, and which unit a wrong time looks like."""

from datetime import UTC, datetime, timedelta

from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Milliseconds of 1973 to 5138 have 12 or 13 digits. Times of our era in another unit fall outside that range.
_LOWEST_MS = 10**11
_HIGHEST_MS = 10**14


def utc(ms: int) -> str:
    """A time as `2023-01-31 23:59 UTC`, with seconds only where there are any."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    if ms % MS_PER_MINUTE == 0:
        return f"{moment:%Y-%m-%d %H:%M} UTC"
    return f"{moment.isoformat(sep=' ', timespec='milliseconds')[:-6]} UTC"


def day(ms: int) -> str:
    """The UTC date of a time."""
    return f"{_EPOCH + timedelta(milliseconds=ms):%Y-%m-%d}"


def next_midnight(ms: int) -> int:
    """The first UTC midnight at or after a time."""
    return -(-ms // MS_PER_DAY) * MS_PER_DAY


def minutes(ms: int) -> str:
    """A duration in minutes, thousands separated."""
    return f"{ms / MS_PER_MINUTE:,.10g} minute{'s' if ms != MS_PER_MINUTE else ''}"


def age(ms: int) -> str:
    """A duration in days, hours or minutes, whichever is the longest unit that it has two of."""
    for size, unit in ((MS_PER_DAY, "days"), (60 * MS_PER_MINUTE, "hours"), (MS_PER_MINUTE, "minutes")):
        if ms >= 2 * size:
            return f"{ms // size:,} {unit}"
    return "a minute" if ms >= MS_PER_MINUTE else "less than a minute"


def other_time_unit(time: int) -> str | None:
    """The unit that a time of our era seems to be written in, or None if it may be milliseconds."""
    if time < _LOWEST_MS:
        return "seconds"
    if time < _HIGHEST_MS:
        return None
    return "microseconds" if time < 1000 * _HIGHEST_MS else "nanoseconds"
