"""Validators (RFC 9110 §8.8): entity tags, and times as text.

Times are in UTC, to the second: RFC 9110 §5.6.7 for HTTP, RFC 3339 for DAV:creationdate. A listing
has both for every member; the standard library takes five times as long to write them.
"""

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

from davbridge.tree.resource import Resource

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TWO_DIGITS = tuple(f"{number:02}" for number in range(60))


def http_date(moment: datetime) -> str:
    """``Sun, 06 Nov 1994 08:49:37 GMT``, of a moment in UTC."""
    return f"{_day(moment.toordinal()).http} {_time(moment)} GMT"


def internet_date(moment: datetime) -> str:
    """``1994-11-06T08:49:37Z``, of a moment in UTC."""
    return f"{_day(moment.toordinal()).internet}T{_time(moment)}Z"


def parse_date(value: str) -> datetime | None:
    """Any form of RFC 9110 §5.6.7, in UTC; None for what is no date."""
    try:
        parsed = parsedate_to_datetime(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def entity_tag(resource: Resource) -> str:
    """As in the ETag header: strong and quoted; empty for a collection."""
    return f'"{resource.etag}"' if resource.etag else ""


class _Day(NamedTuple):
    http: str
    internet: str


@lru_cache(maxsize=1024)
def _day(ordinal: int) -> _Day:
    day = date.fromordinal(ordinal)
    name, month = _DAYS[day.weekday()], _MONTHS[day.month - 1]
    return _Day(f"{name}, {day.day:02} {month} {day.year:04}", day.isoformat())


def _time(moment: datetime) -> str:
    two = _TWO_DIGITS
    return f"{two[moment.hour]}:{two[moment.minute]}:{two[moment.second]}"
