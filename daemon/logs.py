"""Logs: events with facts as keys, to standard error, private by default.

Pretty on a terminal, elsewhere one JSON object a line, under journald with its `<n>` priority in front. Lines
of libraries go the same way. Keys of accounts are masked always; phones, emails and names unless `unmask`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    import structlog
    from structlog.typing import Processor

Format = Literal["auto", "pretty", "json"]

SECRET_KEYS = re.compile(r"(?i)(api_?key|authorization|password|secret|token|cookie)$")
PERSONAL_KEYS = re.compile(
    r"(?i)(^|_)(phones?|phone_number|emails?|email_address|street|address|birth_date|notes)$"
    r"|^(given|family|full|first|last|middle|nick)_name$"
)
EMAIL = re.compile(r"(?<![\w.%+'<>-])[\w.%+'<>-]+@[\w<>-]+(?:\.[\w<>-]+)+")  # a <secret> may stand inside
PHONE = re.compile(r"(?<![\w.-])(?!\d{4}-\d\d-\d\d|127\.\d+\.\d+\.\d+\b)(?:\+|\()?\d[\d().\s-]{7,}\d(?![\w-])")
SECRET = re.compile(
    r"(?i)\b(basic|bearer|token|password|secret|api[_-]?key)((?:\s+|\s*[\"']?\s*[=:]\s*[\"']?))[\w.~+/=-]{6,}"
)
PLAIN_KEYS = {"timestamp", "level", "logger"}
PRIORITY = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
CHATTY = {
    **dict.fromkeys(("httpx", "httpcore", "alembic", "sqlalchemy.engine"), logging.WARNING),
    "apscheduler": logging.ERROR,  # that an alarm finds its work still under way is no news
}
DEEPEST = 8

_hidden: set[str] = set()
_handler: logging.Handler | None = None


def logger(name: str = "rosterd") -> structlog.stdlib.BoundLogger:
    """Where events go: `logger("rosterd.sync").info("page.kept", connection=name, records=200)`."""
    import structlog

    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound


def hide(*secrets: str) -> None:
    """From now on these never appear in a log line, whatever they are part of."""
    _hidden.update(secret for secret in secrets if len(secret) >= 4)


def configure(
    format: Format = "auto",  # noqa: A002 the word the config uses
    level: str = "info",
    unmask: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send everything to `stream` (standard error). May be called again: the last call counts."""
    import structlog

    stream = stream or sys.stderr
    journal = "JOURNAL_STREAM" in os.environ
    pretty = format == "pretty" or (format == "auto" and stream.isatty() and not journal)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
    ]
    last = _pretty(stream, unmask) if pretty else _json(unmask)
    _install(_formatter(before, last, journal), stream, level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _install(formatter: logging.Formatter, stream: TextIO, level: str) -> None:
    global _handler  # noqa: PLW0603 the root logger is global too, and must not get two of ours
    root = logging.getLogger()
    if _handler:
        root.removeHandler(_handler)
    _handler = logging.StreamHandler(stream)
    _handler.setFormatter(formatter)
    root.addHandler(_handler)
    root.setLevel(level.upper())
    for name, least in CHATTY.items():  # at INFO, httpx prints whole addresses with the phones and emails in them
        logging.getLogger(name).setLevel(max(least, root.level))


def _formatter(before: list[Processor], last: list[Processor], journal: bool) -> logging.Formatter:
    import structlog

    class Formatter(structlog.stdlib.ProcessorFormatter):
        def format(self, record: logging.LogRecord) -> str:
            text = super().format(record)
            if not journal:
                return text
            prefix = f"<{PRIORITY.get(record.levelname.lower(), 6)}>"
            return "\n".join(prefix + line for line in text.splitlines())

    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return Formatter(foreign_pre_chain=before, processors=[remove, *last])


def _json(unmask: bool) -> list[Processor]:
    import orjson
    import structlog

    # Local variables in a traceback would show keys and people.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

    def render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

    return [structlog.processors.ExceptionRenderer(frames), redactor(unmask), render]


def _pretty(stream: TextIO, unmask: bool) -> list[Processor]:
    import structlog

    colors = stream.isatty() and "NO_COLOR" not in os.environ
    plain = structlog.dev.plain_traceback  # rich's would show local variables
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)
    return [structlog.processors.format_exc_info, redactor(unmask), console]


def redactor(unmask: bool) -> Processor:
    """The last look before a line is written: values and keys, nested and in running text."""

    def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: value if key in PLAIN_KEYS else clean(key, value, unmask) for key, value in event.items()}

    return redact


def clean(key: object, value: Any, unmask: bool = False, depth: int = 0) -> Any:
    """`value` as it may be written under `key`."""
    if value is None or isinstance(value, bool):
        return value
    if SECRET_KEYS.search(str(key)):
        return "<secret>"
    if not unmask and PERSONAL_KEYS.search(str(key)) and not isinstance(value, Mapping):
        return "<personal>"
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {text(k, unmask): clean(k, one, unmask, depth + 1) for k, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < DEEPEST:
        return [clean(key, one, unmask, depth + 1) for one in value]
    return text(value, unmask)


def text(value: object, unmask: bool = False) -> str:
    """Running text without secrets, and without phones and emails unless `unmask`."""
    written = str(value)
    for secret in _hidden:
        written = written.replace(secret, "<secret>")
    written = SECRET.sub(r"\1\2<secret>", written)
    return written if unmask else PHONE.sub("<phone>", EMAIL.sub("<email>", written))


# ── for what people read: enough to recognise somebody by, not enough to write to them


def mask_phone(phone: str) -> str:
    """`+12025550123` becomes `+1202•••0123`; of a short number the last two digits are left."""
    return f"{phone[:5]}•••{phone[-4:]}" if len(phone) > 11 else f"•••{phone[-2:]}"


def mask_email(email: str) -> str:
    """`ada@example.org` becomes `a•••@example.org`."""
    local, at, domain = email.rpartition("@")
    return f"{local[:1]}•••{at}{domain}" if at else "•••"


def mask_name(name: str) -> str:
    """`Ada Sample` becomes `A••• S•••`."""
    return " ".join(f"{word[0]}•••" for word in name.split())
