"""Finds the fstore command and runs it: results as JSON from stdout, messages as JSON lines from stderr."""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from fstore import display, errors
from fstore.progress import Bar

log = logging.getLogger("fstore")

INSTALL = "pip install 'fstore-sdk[local]'"

MOST_OUTPUT = 512 << 20
"""Bytes of JSON that a command may print. What is larger belongs into a file."""

_LONGEST_LINE = 16 << 20  # of a message, in bytes
_PATIENCE = 10.0  # seconds that a command gets to end after it was asked to

_KINDS: dict[str, type[errors.Error]] = {
    "usage": errors.InvalidRequest,
    "invalid": errors.InvalidRequest,
    "definition": errors.DefinitionError,
    "check": errors.CheckFailed,
    "conflict": errors.Conflict,
    "unavailable": errors.Unavailable,
    "busy": errors.Busy,
    "deadline_exceeded": errors.DeadlineExceeded,
    "unauthenticated": errors.Unauthenticated,
    "forbidden": errors.PermissionDenied,
    "not_ready": errors.NotPublished,
    "not_found": errors.NotFound,
    "too_large": errors.TooLarge,
    "corrupt": errors.DataLoss,
}
_STATUSES: dict[int, type[errors.Error]] = {
    2: errors.InvalidRequest,
    3: errors.DefinitionError,
    4: errors.CheckFailed,
    5: errors.Conflict,
    6: errors.Unavailable,
    7: errors.PermissionDenied,
}


class RepoWarning(UserWarning):
    """What the fstore command warns about, such as a plain sum of floats in SQL."""


def find_binary(given: str | os.PathLike[str] | None = None) -> str:
    """Returns the path of the fstore command: the given one, $FSTORE_BINARY, the one of fstore-bin, or that on PATH."""
    for source, path in (("binary=", given), ("the variable FSTORE_BINARY", os.environ.get("FSTORE_BINARY"))):
        if path:
            found = shutil.which(os.fspath(path))
            if found is None:
                raise errors.NotFound(f"{source} names {os.fspath(path)}, which is not a program", [INSTALL])
            return found
    try:
        import fstore_bin
    except ImportError:
        found = shutil.which("fstore")
        if found is None:
            raise errors.NotFound("there is no fstore command on this machine", [INSTALL]) from None
        return found
    return os.fspath(fstore_bin.path())


@dataclass
class Output:
    """What a command printed: its JSON documents, and what it said besides."""

    documents: list[Any] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def result(self) -> Any:
        """The only document; None if the command printed nothing."""
        return self.documents[0] if self.documents else None

    @property
    def found(self) -> Any:
        """The only document, or a list of all."""
        return self.documents if len(self.documents) > 1 else self.result


class Command:
    """The fstore command with the global flags of one repo."""

    def __init__(self, binary: str, flags: Sequence[str] = (), progress: bool | None = None) -> None:
        self.binary = binary
        self.flags = list(flags)
        self.progress = progress

    def arguments(self, *args: str) -> list[str]:
        return [self.binary, "--progress", "json", "--output", "json", *self.flags, *args]

    def run(self, *args: str) -> Output:
        """Runs a command to its end and returns its output. A failure is an `Error` of the class that its kind has.

        KeyboardInterrupt, or any other exception, stops the command first; fstore leaves nothing half done.
        """
        run = _Run(
            " ".join(a for a in args[:2] if not a.startswith("-")), self.arguments(*args), self.progress
        )
        try:
            run.follow()
        except BaseException:
            run.stop()
            raise
        return run.finish()


def _next(lines: queue.SimpleQueue[bytes]) -> bytes:
    """Waits for a line. Python handles signals between two waits."""
    while True:
        try:
            return lines.get(timeout=0.2)
        except queue.Empty:
            pass


class _Run:
    """A running command."""

    def __init__(self, name: str, argv: list[str], progress: bool | None) -> None:
        self.name = name
        self.program = argv[0]
        self.bar = Bar(name, progress)
        self.output = Output()
        self.error: dict[str, Any] | None = None
        self.other: deque[str] = deque(maxlen=20)  # lines that are not messages
        self.printed = bytearray()
        self.too_much = False
        try:
            self.process = start(argv)
        except OSError as e:
            raise errors.Error(f"{argv[0]} cannot be run: {e.strerror}", [INSTALL]) from e
        self.reader = threading.Thread(target=self._read, name=f"fstore {name}", daemon=True)
        self.reader.start()

    def _read(self) -> None:
        out = self.process.stdout
        assert out is not None
        while block := out.read1(1 << 20):  # type: ignore[attr-defined]
            if len(self.printed) + len(block) > MOST_OUTPUT:
                self.too_much = True
                self.process.terminate()
                return
            self.printed += block

    def follow(self) -> None:
        """Reads messages until the command ends.

        Another thread waits for them. A signal that comes just before a thread waits in the operating system, or that another thread
        of the process takes, would not be seen here until the next message.
        """
        lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        listener = threading.Thread(
            target=self._listen, args=[lines], name=f"fstore {self.name} messages", daemon=True
        )
        listener.start()
        while line := _next(lines):
            self._message(line.decode("utf-8", "strict").rstrip("\n"))
        self.process.wait()
        self.reader.join()

    def _listen(self, lines: queue.SimpleQueue[bytes]) -> None:
        """Passes on the lines of standard error, and at last an empty one."""
        assert self.process.stderr is not None
        try:
            while line := self.process.stderr.readline(_LONGEST_LINE):
                lines.put(line)
        except ValueError:  # it was closed, because the command was stopped
            pass
        finally:
            lines.put(b"")

    def _message(self, line: str) -> None:
        message: Any = None
        if line.startswith("{"):
            try:
                message = json.loads(line)
            except ValueError:
                message = None
        if not isinstance(message, dict):
            if line:
                self.other.append(line[:2000])
            return
        if warning := hear(message, self.bar):
            self.output.warnings.append(warning)
        self.error = message.get("error", self.error)

    def stop(self) -> None:
        """Asks the command to end, waits for it, and ends it if it does not."""
        self.bar.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
            try:
                self.process.wait(_PATIENCE)
            except BaseException:  # also a second KeyboardInterrupt
                self.process.kill()
                self.process.wait()
        self._close()

    def _close(self) -> None:
        self.reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def finish(self) -> Output:
        self.bar.close()
        self._close()
        for text in self.output.warnings:
            warnings.warn(text, RepoWarning, stacklevel=5)
        if self.too_much:
            raise errors.TooLarge(
                f"fstore {self.name} printed more than {MOST_OUTPUT >> 20} MB", ["ask for fewer rows"]
            )
        status = self.process.returncode
        if status in (0, errors.CheckFailed.exit_status) or self.error is None:
            self.output.documents = documents(bytes(self.printed).decode("utf-8", "strict"))
        if status != 0:
            raise self._failure(status)
        return self.output

    def _failure(self, status: int) -> errors.Error:
        if self.error is not None:
            failure = reported(self.error)
            if isinstance(failure, errors.CheckFailed):
                failure.result = self.output.found
            return failure
        said = "\n".join(self.other)
        if "unknown flag: --progress" in said:
            return errors.Error(f"{self.program} is older than this package", [INSTALL])
        if status < 0:
            return errors.Error(
                f"fstore {self.name} was ended by signal {-status}" + (f": {said}" if said else "")
            )
        kind = _STATUSES.get(status, errors.Error)
        failure = kind(f"fstore {self.name} ended with status {status}" + (f": {said}" if said else ""))
        if isinstance(failure, errors.CheckFailed):
            failure.result = self.output.found
        if isinstance(failure, errors.DefinitionError) and isinstance(self.output.result, dict):
            return reported(
                {"kind": "definition", "message": "the definitions are wrong", **self.output.result}
            )
        return failure


def start(
    argv: list[str], stdin: int | IO[bytes] = subprocess.DEVNULL, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own, so that an interrupt reaches it through this process only, and once.

    `variables` are added to those of this process.
    """
    return subprocess.Popen(
        argv,
        env={**os.environ, **variables} if variables else None,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=sys.platform != "win32",
    )


def documents(text: str) -> list[Any]:
    """Returns the JSON documents in a text, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def _position(position: dict[str, Any] | None) -> str:
    place = display.place(position)
    return f"{place}: " if place else ""


def hear(message: dict[str, Any], bar: Bar) -> str:
    """Shows the progress and logs the note that a message of the command has, and returns its warning, or an empty text."""
    if step := message.get("progress"):
        bar.show(step["stage"], step["done"], step.get("total", 0))
    if note := message.get("note"):
        log.info(said(note))
    warning = message.get("warning")
    return said(warning) if warning else ""


def said(message: dict[str, Any]) -> str:
    """Returns a warning or a note of the command as text."""
    lines = [_position(message.get("position")) + message["message"]]
    return "\n".join([*lines, *(f"  hint: {h}" for h in message.get("hints", ()))])


def reported(error: dict[str, Any]) -> errors.Error:
    """Returns the exception for an error that the command reported."""
    kind = _KINDS.get(error["kind"], errors.Error)
    message, hints = error["message"], list(error.get("hints", ()))
    problems = error.get("problems", [])
    for p in problems:
        hint = f"\n      {p['hint']}" if p.get("hint") else ""
        message += f"\n  {_position(p.get('position'))}{p['message']}{hint}"
    failure = kind(message, hints)
    if isinstance(failure, errors.DefinitionError):
        failure.problems = problems
    return failure
