"""An alert as a mail: plain text, one message for each time it broke or healed, which mail programs show together."""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate

from daemon.output import clean
from daemon.service.alerts_ways import Untold
from daemon.service.alerts_words import News, masked, moment
from daemon.settings_service import Alerts

SECONDS = 10.0
"""For each step of the conversation."""
SUBJECT = 120


def mail(settings: Alerts, news: News) -> str:
    """Hand it to the mail server. Raises Untold."""
    message = written(settings, news)
    try:
        with _connected(settings) as server:
            refused = server.send_message(message)
    except smtplib.SMTPRecipientsRefused as problem:
        raise Untold(f"{settings.smtp} accepted none of the addresses ({_codes(problem.recipients)})") from None
    except smtplib.SMTPResponseException as problem:
        raise Untold(masked(f"{settings.smtp} answered {problem.smtp_code}: {_text(problem.smtp_error)}")) from None
    except ssl.SSLCertVerificationError as problem:
        raise Untold(f"{settings.smtp} shows a certificate we cannot trust: {problem.verify_message}") from None
    except (OSError, smtplib.SMTPException) as problem:
        raise Untold(masked(f"{settings.smtp}: {str(problem) or type(problem).__name__}")) from None
    if refused:  # the others have it: sent again, they would have it twice
        return f"accepted, but for {len(refused)} of {len(settings.email_to)} addresses ({_codes(refused)})"
    return "the mail server accepted it"


@contextlib.contextmanager
def _connected(settings: Alerts) -> Iterator[smtplib.SMTP]:
    """A conversation, as private as configured."""
    server = _greeted(settings)
    try:
        if settings.smtp_tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_username is not None and settings.smtp_password is not None:
            server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
        yield server
        with contextlib.suppress(OSError, smtplib.SMTPException):  # it has the mail, however it says goodbye
            server.quit()
    finally:
        server.close()


def _greeted(settings: Alerts) -> smtplib.SMTP:
    """The name we greet with is one that costs no look-up."""
    host, port = settings.smtp_address
    us = socket.gethostname()
    if settings.smtp_tls == "tls":
        return smtplib.SMTP_SSL(host, port, us, timeout=SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, us, timeout=SECONDS)


def written(settings: Alerts, news: News) -> EmailMessage:
    """The message. No line end gets into its head: addresses were checked, and text is brought onto one line."""
    message = EmailMessage()
    message["Subject"] = clean(f"[rosterd] {news.state}: {news.text}")[:SUBJECT]
    message["From"], message["To"] = str(settings.email_from), ", ".join(settings.email_to)
    message["Date"], message["Auto-Submitted"] = formatdate(localtime=True), "auto-generated"
    message["Message-ID"] = _number(news, news.state, settings)
    if news.state == "healed":
        message["In-Reply-To"] = message["References"] = _number(news, "broken", settings)
    message.set_content(_body(news), cte="quoted-printable")
    return message


def _number(news: News, state: str, settings: Alerts) -> str:
    """The same when the same has to be said twice: most mail programs then show it once."""
    digest = hashlib.sha256(f"{news.incident}\n{state}\n{news.config}".encode()).hexdigest()[:32]
    return f"<rosterd.{digest}@{str(settings.email_from).rpartition('@')[2]}>"


def _body(news: News) -> str:
    lines = [news.text + "."]
    if news.hint:
        lines += ["", f"What to do: {news.hint}"]
    about = {
        "Broken since": moment(news.since),
        "Healed at": "" if news.healed_at is None else moment(news.healed_at),
        "Connection": news.connection or "",
        "Machine": news.host,
        "Configuration": news.config,
        "Incident": news.incident,
    }
    return "\n".join([*lines, "", *(f"{name}: {value}" for name, value in about.items() if value), ""])


def _codes(refused: dict[str, tuple[int, bytes]]) -> str:
    """Why, without whom."""
    return ", ".join(sorted({str(code) for code, _ in refused.values()}))


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
