"""What can go wrong, by what a caller can do about it.

Every error of this package is an `Error`. Its classes follow the codes of gRPC and the exit statuses of the command, so
a program handles a look-up and a command alike:

    try:
        answer = client.online(service="churn", entities=keys)
    except fstore.NotPublished as error:
        print(error.hints)                 # the command to run
    except fstore.Unavailable:             # also DeadlineExceeded and Busy
        answer = None                      # use the model's defaults
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar


class Error(Exception):
    """Any failure of fstore. str() is the message, and each hint on a line of its own."""

    code: ClassVar[str] = "INTERNAL"  # gRPC's name of the class
    exit_status: ClassVar[int] = 1  # of the fstore command

    message: str
    """What happened, and to what."""
    hints: list[str]
    """What to do about it: usually a command to run. It may be empty."""

    def __init__(self, message: str, hints: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = list(hints)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  hint: {hint}" for hint in self.hints)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.hints), self.__dict__


class InvalidRequest(Error, ValueError):
    """An argument, a column or a value cannot be used. Sending it again will not help."""

    code = "INVALID_ARGUMENT"
    exit_status = 2


class DefinitionError(Error):
    """A definition of the feature repo is wrong. The message has its file, line and column."""

    exit_status = 3
    problems: Sequence[Mapping[str, Any]] = ()
    """Every mistake: its position (file, line, col), message and hint."""


class CheckFailed(Error):
    """A check of a command found something wrong."""

    exit_status = 4
    result: Any = None
    """What the command printed as JSON: all that it found."""


class Conflict(Error):
    """Another process was first, or what was asked for differs from what exists under that name."""

    code = "ABORTED"
    exit_status = 5


class NotFound(Error, LookupError):
    """No service, model, view, version, feature or file has the name. A key without a record is not an error."""

    code = "NOT_FOUND"


class NotPublished(Error):
    """The name exists, but a command must run before it can be answered. The hint is that command."""

    code = "FAILED_PRECONDITION"


class Unavailable(Error):
    """The server or its store cannot answer now. The same call may succeed later."""

    code = "UNAVAILABLE"
    exit_status = 6


class DeadlineExceeded(Unavailable, TimeoutError):
    """The time for a call was over before its answer came."""

    code = "DEADLINE_EXCEEDED"


class Busy(Unavailable):
    """The server has as much to do as it can, or the caller sends more than it may."""

    code = "RESOURCE_EXHAUSTED"
    retry_after: float = 0.0
    """The seconds after which the server asks to try again."""


class TooLarge(Error):
    """The request or its answer is over a limit, which the message names."""

    code = "RESOURCE_EXHAUSTED"


class Unauthenticated(Error):
    """The server does not know who asks: there is no token, or not a valid one."""

    code = "UNAUTHENTICATED"
    exit_status = 7


class PermissionDenied(Error):
    """The server knows who asks, and no grant covers what was asked."""

    code = "PERMISSION_DENIED"
    exit_status = 7


class DataLoss(Error):
    """Stored bytes cannot be decoded."""

    code = "DATA_LOSS"


_KINDS: tuple[type[Error], ...] = (
    InvalidRequest,
    Conflict,
    NotFound,
    NotPublished,
    Unavailable,
    DeadlineExceeded,
    TooLarge,
    Unauthenticated,
    PermissionDenied,
    DataLoss,
)
_BY_CODE = {kind.code: kind for kind in _KINDS} | {"ALREADY_EXISTS": Conflict}


def of_status(code: str, text: str, retry_after: float | None = None) -> Error:
    """Returns the error for a gRPC status.

    `code` is the name of its code. `text` is its message; the server puts a hint at the end, in parentheses.
    `retry_after` is the server's hint in seconds: a RESOURCE_EXHAUSTED with one is `Busy`, without one `TooLarge`.
    """
    message, hints = _split_hint(text)
    if code == Busy.code and retry_after is not None:
        busy = Busy(message, hints)
        busy.retry_after = retry_after
        return busy
    kind = _BY_CODE.get(code)
    return kind(message, hints) if kind else Error(f"{code}: {message}", hints)


def _split_hint(text: str) -> tuple[str, list[str]]:
    """Splits "message (hint)" at the parenthesis that the last character closes."""
    depth = 0
    for at in range(len(text) - 1, -1, -1) if text.endswith(")") else ():
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if depth == 0:
            message = text[:at].rstrip()
            return (message, [text[at + 1 : -1]]) if message and text[at - 1] == " " else (text, [])
    return text, []
