"""When a line was written: the clocks that logs show, with and without a year, a zone, even a day."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

LOOK_CHARS = 120
AHEAD_S = 86_400.0
MOST_MINUTES = 20_000
_MILLIONTHS = 6

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb fev",
            "mar",
            "apr abr",
            "may mai",
            "jun",
            "jul",
            "aug ago",
            "sep set",
            "oct out",
            "nov",
            "dec dez",
        ),
        1,
    )
    for name in names.split()
}
# What an abbreviation may mean besides differs by country; these are what schedulers' logs show.
_ZONES_H = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0.0),
    **dict.fromkeys(("CET", "MEZ", "WEST", "BST"), 1.0),
    **dict.fromkeys(("CEST", "MESZ", "EET"), 2.0),
    "EEST": 3.0,
    "MSK": 3.0,
    "IST": 5.5,
    "JST": 9.0,
    "BRT": -3.0,
    "BRST": -2.0,
    "AMT": -4.0,
    "ART": -3.0,
    "EST": -5.0,
    "EDT": -4.0,
    "CST": -6.0,
    "CDT": -5.0,
    "MST": -7.0,
    "MDT": -6.0,
    "PST": -8.0,
    "PDT": -7.0,
}
_ZONE = rf"(?P<zone>[+-]\d\d:?\d\d\b|(?:{'|'.join(sorted(_ZONES_H, key=len, reverse=True))})(?![A-Za-z0-9]))"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
_MONTH_NAME = rf"(?P<name>(?i:{'|'.join(_MONTHS)}))[a-z]{{0,7}}\.?"

_ISO = re.compile(rf"(?<!\d)(?P<year>\d{{4}})[-/.](?P<month>\d\d)[-/.](?P<day>\d\d)(?:[T _]|, ?){_TIME}(?: ?{_ZONE})?")
_COMPACT = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)[T _-]?"
    rf"(?P<hour>\d\d):?(?P<minute>\d\d):?(?P<second>\d\d)(?:[.,](?P<fraction>\d{{1,9}}))?(?!\d)(?: ?{_ZONE})?"
)
_NAMED_DAY = re.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})[/ -]{_MONTH_NAME}[/ -](?P<year>\d{{4}})[: ,T]{{1,2}}{_TIME}(?: ?{_ZONE})?"
)
_SYSLOG = re.compile(rf"\b{_MONTH_NAME} {{1,2}}(?P<day>\d{{1,2}}) {_TIME}(?: {_ZONE})?(?: (?P<year>(?:19|20)\d\d)\b)?")
_NUMBERS = re.compile(
    rf"(?<!\d)(?P<one>\d{{1,2}})(?P<sep>[/.-])(?P<two>\d{{1,2}})(?P=sep)(?P<year>\d{{4}}|\d\d)(?:[T _-]|, ?| - ){{1,2}}"
    rf"{_TIME}(?: ?(?P<half>[AaPp]\.?[Mm]\b))?(?: ?{_ZONE})?"
)
_TIME_ALONE = re.compile(
    r"^[\[(]?(?P<hour>\d\d)(?P<sep>[:.])(?P<minute>\d\d)(?P=sep)(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?(?!\d)"
)
_EPOCH = re.compile(r"^\[?(?P<seconds>1\d{9})(?P<millis>\d{3})?(?:\.(?P<fraction>\d{1,9}))?(?!\d)")


class Clock:
    """Reads times off lines that follow one another.

    Args:
        zone: of times that name none; None = that of this machine.
        near: about when the log was written, in seconds since 1970: says the year, or the day, where a line doesn't.
        day_first: whether 03/04/2024 is the third of April; None = what fits better, on doubt the nearer one.
    """

    def __init__(self, zone: tzinfo | None, *, near: float, day_first: bool | None = None) -> None:
        self._zone, self._near, self._day_first = zone, near, day_first
        self._forms: list[tuple[re.Pattern[str], Callable[[re.Match[str]], float | None]]] = [
            (_ISO, self._dated),
            (_SYSLOG, self._named),
            (_NUMBERS, self._numbers),
            (_NAMED_DAY, self._named),
            (_COMPACT, self._dated),
            (_TIME_ALONE, self._time_alone),
            (_EPOCH, _epoch),
        ]
        self._minutes: dict[tuple[int, int, int, int, int, str | None], float] = {}
        self.at: float | None = None

    def read(self, line: str) -> tuple[float, int, int] | None:
        """The time at the beginning of a line, and from where to where it stands there; None = there is none."""
        head = line[:LOOK_CHARS]
        for index, (pattern, meant) in enumerate(self._forms):
            match = pattern.search(head)
            at = meant(match) if match else None
            if match and at is not None:
                if index:  # a log keeps to its form
                    self._forms.insert(0, self._forms.pop(index))
                self.at = at
                return at, match.start(), match.end()
        return None

    def value(self, text: str | float) -> float | None:
        """The time that a field of a record holds: a text, or seconds or milliseconds since 1970."""
        if isinstance(text, str):
            found = self.read(text)
            return found[0] if found else None
        seconds = text / 1000 if text > 1e11 else text
        return seconds if 0 < seconds < 1e11 else None

    def _dated(self, match: re.Match[str]) -> float | None:
        return self._seconds(match, int(match["year"]), int(match["month"]), int(match["day"]))

    def _named(self, match: re.Match[str]) -> float | None:
        month, day = _MONTHS[match["name"].lower()], int(match["day"])
        if match["year"]:
            return self._seconds(match, int(match["year"]), month, day)
        this = self._moment(self._near).year
        return self._nearest([self._seconds(match, year, month, day) for year in (this + 1, this, this - 1)])

    def _numbers(self, match: re.Match[str]) -> float | None:
        one, two = int(match["one"]), int(match["two"])
        year = int(match["year"]) + (2000 if len(match["year"]) == 2 else 0)
        hour = int(match["hour"])
        if match["half"]:
            hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
        day_first = True if match["sep"] == "." else self._day_first
        if one > 12 or two > 12:
            day_first = one > 12
        ways = [(two, one)] if day_first else [(one, two)] if day_first is False else [(one, two), (two, one)]
        return self._nearest([self._seconds(match, year, month, day, hour) for month, day in ways])

    def _time_alone(self, match: re.Match[str]) -> float | None:
        """On the day of the line before; without one, on the last such time before the log was last written."""
        known = self._near if self.at is None else self.at
        today = self._moment(known)
        at = self._seconds(match, today.year, today.month, today.day, int(match["hour"]), zoned=False)
        if at is None:
            return None
        if self.at is None:
            return at if at <= self._near + 60 else at - AHEAD_S
        return at + AHEAD_S if at < self.at - AHEAD_S / 2 else at

    def _nearest(self, times: list[float | None]) -> float | None:
        """The one that fits the time of writing: before it if possible, and near."""
        possible = [at for at in times if at is not None]
        return min(possible, key=lambda at: (at > self._near + AHEAD_S, abs(at - self._near)), default=None)

    def _seconds(
        self, match: re.Match[str], year: int, month: int, day: int, hour: int | None = None, *, zoned: bool = True
    ) -> float | None:
        found = match.groupdict()
        hour = int(found["hour"]) if hour is None else hour
        second = int(found["second"] or 0)
        minute = self._minute(year, month, day, hour, int(found["minute"]), found.get("zone") if zoned else None)
        if minute is None or second > 60:
            return None
        fraction = found["fraction"]
        return minute + second + (float(f"0.{fraction}") if fraction else 0.0)

    def _minute(self, year: int, month: int, day: int, hour: int, minute: int, zone: str | None) -> float | None:
        key = (year, month, day, hour, minute, zone)
        known = self._minutes.get(key)
        if known is not None:
            return known
        try:
            naive = datetime(year, month, day, hour, minute)  # noqa: DTZ001 the zone is added below
            if zone:
                return self._kept(key, naive.replace(tzinfo=_zone(zone)).timestamp())
            first, second = (self._local(naive.replace(fold=fold)) for fold in (0, 1))
        except (ValueError, OverflowError, OSError):
            return None
        if first < second:  # an hour that is there twice, as clocks are set back; lines don't go back in time
            return second if self.at is not None and first < self.at - 60 else first
        return self._kept(key, first)

    def _kept(self, key: tuple[int, int, int, int, int, str | None], at: float) -> float:
        if len(self._minutes) > MOST_MINUTES:
            self._minutes.clear()
        self._minutes[key] = at
        return at

    def _local(self, naive: datetime) -> float:
        return (naive if self._zone is None else naive.replace(tzinfo=self._zone)).timestamp()

    def _moment(self, at: float) -> datetime:
        moment = datetime.fromtimestamp(at, UTC)
        return moment.astimezone(self._zone)


def moment(at: float) -> datetime:
    """Seconds since 1970 as a time with a zone."""
    return datetime.fromtimestamp(round(at, _MILLIONTHS), UTC)


def _epoch(match: re.Match[str]) -> float:
    millis, fraction = match["millis"], match["fraction"]
    return int(match["seconds"]) + (int(millis) / 1000 if millis else float(f"0.{fraction or 0}"))


def _zone(text: str) -> tzinfo:
    if text[0] in "+-":
        sign = -1 if text[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
    return timezone(timedelta(hours=_ZONES_H[text]))
