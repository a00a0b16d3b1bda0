"""The small types the settings are made of: each knows how it is written and what is wrong with it.

A `ValueError` raised here reaches the person as one line with file, line and column. A text after `HINT`
becomes the hint. Paths are relative to the folder of the config file, which comes in the validation context.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, SecretStr, ValidationInfo
from pydantic import WithJsonSchema as Schema

HINT = "\n"  # what follows it in an error's text is the hint
NAME = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LONGEST = timedelta(days=3660)


def parse_duration(value: Any, *, zero: bool = False) -> timedelta:
    """`"90s"`, `"5m"`, `"1h30m"`, `"7d"`, `"2w"` as a timedelta. Zero only where it means something."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"(?:[0-9]{1,9}[smhdw])+", value.strip()):
        raise ValueError(f'{value!r} is not a duration{HINT}write a number with s, m, h, d or w, like "5m"')
    parts = re.findall(r"([0-9]+)([smhdw])", value)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if seconds == 0 and not zero:
        raise ValueError("must be longer than nothing")
    if seconds > LONGEST.total_seconds():
        raise ValueError("must be shorter than ten years")
    return timedelta(seconds=seconds)


def show_duration(value: timedelta) -> str:
    """The shortest way to write it: `5m`, `1h30m`, `0s`."""
    left, parts = int(value.total_seconds()), []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):  # pydantic would take true for 1
        raise ValueError("must be a number, not true or false")
    return value


def _region(value: str) -> str:
    from phonenumbers import SUPPORTED_REGIONS

    if value not in SUPPORTED_REGIONS:
        better = {"UK": "GB", "EN": "GB"}.get(value.upper(), value.upper())
        known = f'{HINT}did you mean "{better}"?' if better in SUPPORTED_REGIONS else ""
        raise ValueError(f"{value!r} is no region phone numbers can be read for{known}")
    return value


def loopback(host: str) -> bool:
    """Whether this host is the machine itself, so that plain http stays on it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(value: str) -> str:
    """An http(s) address with a path of its own, such as a webhook. Plain http only to this machine."""
    try:
        url = urlsplit(value.strip())
        host = url.hostname
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if url.scheme not in ("http", "https") or not host:
        raise ValueError(f'must begin with https://{HINT}like "https://example.org/hooks/rosterd"')
    if url.username is not None or url.password is not None:
        raise ValueError("must not carry credentials")
    if url.scheme == "http" and not loopback(host):
        raise ValueError(f"http would send it in the clear{HINT}use https; http only on this machine")
    return url.geturl()


def _base_url(value: str) -> str:
    try:
        url = urlsplit(value.strip())
        host, port = url.hostname, url.port
    except ValueError as error:
        raise ValueError(f"is not an address: {error}") from None
    if url.scheme not in ("http", "https") or not host:
        raise ValueError(f'must begin with https://{HINT}like "https://api.example.org"')
    if url.username is not None or url.password is not None:
        raise ValueError(f"must not carry credentials{HINT}use api_key_file")
    path = url.path.rstrip("/")  # of a proxy in between, or of the sandbox
    if path.endswith(("/v1", "/v2")) or url.query or url.fragment:
        raise ValueError(f"must be the bare address, without path or query{HINT}the path is added for you")
    if url.scheme == "http" and not loopback(host):
        raise ValueError(f"http would send the key in the clear{HINT}use https; http only on this machine")
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" + (f":{port}" if port else "") + path


def _against_folder(value: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return value if folder is None else under(Path(folder), value)


def under(folder: Path, path: Path) -> Path:
    """`path` as it is meant in a file in `folder`. Raises ValueError if no file can be called so."""
    if "\0" in str(path):
        raise ValueError("no file can be called so")
    try:
        return folder / path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no user {path.parts[0]}") from None


def _mapping_file(value: Path) -> Path:
    if not value.is_file():
        what = "is not a file" if value.exists() else "does not exist"
        raise ValueError(f"{value} {what}{HINT}`rosterd init` writes one, or leave the key out to use the preset")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'{value!r} is no time zone{HINT}like "America/New_York"') from None
    return value


def _window(value: str) -> str:
    parse_window(value)
    return value


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:(?P<days>[a-z]{3}(?:[,-][a-z]{3})*) )?(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d)", re.IGNORECASE)


def parse_window(value: str) -> tuple[frozenset[int], int, int]:
    """`"22:00-07:00"`, `"mon-fri 09:00-17:00"`: the days it begins on (0: Monday), and minutes from and to."""
    found = _WINDOW.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is no stretch of time{HINT}write "22:00-07:00" or "sat,sun 00:00-24:00"')
    begin, end = (_clock(found[part]) for part in ("from", "to"))
    if begin == end or begin == 24 * 60:
        raise ValueError(f'{value!r} is empty{HINT}a whole day is "00:00-24:00"')
    return _days(found["days"]), begin, end


def _clock(text: str) -> int:
    hour, minute = map(int, text.split(":"))
    if minute > 59 or hour > 24 or (hour == 24 and minute):
        raise ValueError(f"{text} is no time of day")
    return hour * 60 + minute


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        try:
            start, stop = DAYS.index(first), DAYS.index(last or first)
        except ValueError:
            raise ValueError(f"{part!r} is no day{HINT}mon, tue, wed, thu, fri, sat, sun") from None
        found |= {day % 7 for day in range(start, stop + 1 if stop >= start else stop + 8)}
    return frozenset(found)


def _state_url(value: str, info: ValidationInfo) -> str:
    value = value.strip()
    if value.partition("://")[0] in POSTGRESQL:
        return _postgresql_url(value)
    scheme, separator, rest = value.partition(":///")
    if scheme != "sqlite" or not separator:
        hint = '"sqlite:////var/lib/rosterd/state.db" or "postgresql://rosterd@db.example.org/rosterd"'
        raise ValueError(f"must begin with sqlite:/// or postgresql://{HINT}like {hint}")
    if "?" in rest:
        raise ValueError("must be a plain path, without options")
    if not rest or rest == ":memory:" or rest.endswith("/"):
        raise ValueError(f"must name a file{HINT}what is not kept on disk is forgotten")
    return f"sqlite:///{_against_folder(Path(rest), info)}"


POSTGRESQL = ("postgresql", "postgresql+psycopg", "postgres")
_EXAMPLE = f'{HINT}like "postgresql://rosterd@db.example.org/rosterd", or "postgresql:///rosterd" on this machine'


def _postgresql_url(value: str) -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # their texts repeat what was written
        raise ValueError(f"is not an address of a database{_EXAMPLE}") from None
    if not url.database:
        raise ValueError(f"must name a database{_EXAMPLE}")
    return value


def has_password(url: str) -> bool:
    """Whether the address of a database is a secret itself."""
    return password_of(url) is not None


def password_of(url: str) -> str | None:
    """The password in the address of a database, before the host or among the options."""
    if url.partition("://")[0].strip() not in POSTGRESQL:
        return None
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        return None  # it is told off for being no address
    option = parsed.query.get("password")
    return parsed.password or (option if isinstance(option, str) else None)


def without_password(url: str, mask: str) -> str:
    """The address of a database, to be shown."""
    if not has_password(url):
        return url
    from sqlalchemy import make_url

    return make_url(url).difference_update_query(["password"]).render_as_string().replace(":***@", f":{mask}@", 1)


def _key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text:
        raise ValueError("is empty")
    if not re.fullmatch(r"[\x21-\x7e]+", text):  # it goes into an HTTP header
        raise ValueError("holds characters no API key has (blanks, line ends or letters beyond ASCII)")
    return SecretStr(text)


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip("\r\n")
    if not text:
        raise ValueError("is empty")
    if not text.isprintable():
        raise ValueError("holds characters that cannot be typed")
    return SecretStr(text)


_DURATION = {"type": "string", "pattern": r"^([0-9]+[smhdw])+$", "examples": ["5m", "1h30m", "7d"]}
_PERIOD = (PlainSerializer(show_duration, return_type=str), Schema(_DURATION))
Duration = Annotated[timedelta, BeforeValidator(parse_duration), *_PERIOD]
DurationOrZero = Annotated[timedelta, BeforeValidator(partial(parse_duration, zero=True)), *_PERIOD]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Region = Annotated[str, AfterValidator(_region)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
SecretFile = Annotated[Path, AfterValidator(_against_folder)]
MappingFile = Annotated[Path, AfterValidator(_against_folder), AfterValidator(_mapping_file)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Window = Annotated[str, AfterValidator(_window)]
StateUrl = Annotated[str, AfterValidator(_state_url)]
Password = Annotated[SecretStr, AfterValidator(_password)]
ApiKey = Annotated[SecretStr, AfterValidator(_key)]
