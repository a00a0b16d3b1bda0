"""Every error says what happens next.

RosterdError
├── SkipRecord     set this record aside, carry on with the rest
├── RetryLater     leave this connection alone for a while, then try again
│   ├── AnswerLost     ... and what we asked for may have been done: look before asking again
│   ├── Stopping       ... not because anything is wrong: we are asked to end
│   ├── Overtaken      ... another worker goes on with it
│   └── Unexpected     ... a defect of ours, told with its traceback
├── NeedsPerson    leave this connection alone until somebody fixes it
├── StopSync       end the run: going on could do harm
├── BadConfig      nothing was started: the configuration is wrong (exit 78)
├── BadPlan        nothing was started: the file is not a plan that could be applied (exit 2)
└── Busy           another holds the database, or the address of the page (exit 75)
"""

from __future__ import annotations

from collections.abc import Sequence


class RosterdError(Exception):
    """Something rosterd has an answer to. `hint` tells the person who meets it what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SkipRecord(RosterdError):
    """One record cannot be used: unmappable, or refused by the platform. The rest go on."""


class RetryLater(RosterdError):
    """The platform is busy or unreachable; `after` is how many seconds it asked us to wait."""

    def __init__(self, message: str, *, after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.after = after


class AnswerLost(RetryLater):
    """The connection broke after a write was sent: it may or may not have been done."""


class Stopping(RetryLater):
    """The process is asked to end: nothing more is begun. What was answered is kept."""


class Overtaken(RetryLater):
    """Another worker holds this connection now: whatever we know of it may be old, so nothing more is written."""


class Unexpected(RetryLater):
    """Something went wrong that should not have: a defect of rosterd. It concerns this connection alone."""


class NeedsPerson(RosterdError):
    """Key refused, account unpaid, a table gone: no amount of retrying will help."""


class StopSync(RosterdError):
    """The run as a whole looks wrong; nothing more is written."""


class BadConfig(RosterdError):
    """The configuration or a mapping is wrong. `problems` are whole lines: file:line:column: text."""

    def __init__(self, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = list(problems)


class BadPlan(RosterdError):
    """A file that is no plan, was edited or cut short, or is in the way of a new one."""


class Busy(RosterdError):
    """Another instance is running on the same database, or the address of the page is taken: try again later."""
