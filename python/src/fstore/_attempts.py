"""When a call that failed is sent again, and what its error is."""

from __future__ import annotations

import random
import time
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

from fstore import errors
from fstore._transport import TLS
from fstore._unreachable import explain

DEFAULT_TIMEOUT = 5.0
_FIRST_PAUSE = 0.020  # seconds before the second attempt; each later pause is twice as long
_LONGEST_PAUSE = 1.0


class Attempts:
    """The deadline and the retries of one call.

    A call that fails with UNAVAILABLE is sent again; pauses vary by half, so that clients that failed together do not
    retry together. So is one that a busy server refuses, but not before the time that the server asks for, and not if
    the deadline is earlier. Nothing else is sent again.
    """

    def __init__(self, timeout: float, retries: int | None) -> None:
        if not timeout > 0:
            raise errors.InvalidRequest(f"timeout is {timeout!r}, want seconds above 0")
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._left = retries
        self._pause = _FIRST_PAUSE
        self._attempts = 0
        self._last: errors.Error | None = None  # why an earlier attempt failed

    def remaining(self) -> float:
        """Counts an attempt and returns the seconds that it may take."""
        self._attempts += 1
        return max(0.0, self._end - time.monotonic())

    def after(self, failure: Any, address: str, tls: TLS | None) -> float:
        """Returns how many seconds to pause before the next attempt, or raises the error of the call.

        `failure` is a grpc.RpcError.
        """
        least = retry_after(failure)
        text = failure.details() or ""
        error = explain(errors.of_status(failure.code().name, text, least), text, address, tls)
        if "Deadline Exceeded" in text:  # gRPC's words on this side; its code may also be UNKNOWN
            if self._last is not None:
                raise self._over(self._last)
            raise errors.DeadlineExceeded(f"{address} did not answer within {self._timeout:g} s")
        again = type(error) is errors.Unavailable or isinstance(error, errors.Busy)
        if not again or self._left == 0:
            raise error
        left = self._end - time.monotonic()
        if isinstance(error, errors.Busy) and left < error.retry_after:
            raise error
        if self._left is not None:
            self._left -= 1
        longer = max(least or 0.0, self._pause)
        pause = max(least or 0.0, self._pause / 2) + random.random() * longer
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._last = error
        if pause >= left:
            raise self._over(error)
        return pause

    def _over(self, error: errors.Error) -> errors.Error:
        """Returns an error that says that no time is left for another attempt."""
        tries = "1 attempt" if self._attempts == 1 else f"{self._attempts} attempts"
        error.message += f"; {tries}, then {self._timeout:g} s were over"
        error.args = (error.message,)
        return error


def retry_after(failure: Any) -> float | None:
    """Returns the seconds after which the server says that the call may succeed (google.rpc.RetryInfo), or None."""
    for key, value in failure.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in _STATUS.FromString(value).details:
            if detail.type_url.rpartition("/")[2] == "google.rpc.RetryInfo":
                delay = _RETRY_INFO.FromString(detail.value).retry_delay
                return max(0.0, float(delay.seconds + delay.nanos / 1e9))
    return None


def _details() -> tuple[Any, Any]:
    """Returns google.rpc.Status and RetryInfo, as far as they are read, without a package that has them."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="fstore/details.proto", package="fstore.details", syntax="proto3"
    )
    pool = descriptor_pool.DescriptorPool()
    for imported in (any_pb2, duration_pb2):
        pool.AddSerializedFile(imported.DESCRIPTOR.serialized_pb)
        file.dependency.append(imported.DESCRIPTOR.name)
    for message, field, number, label, type_name in (
        ("Status", "details", 3, kind.LABEL_REPEATED, ".google.protobuf.Any"),
        ("RetryInfo", "retry_delay", 1, kind.LABEL_OPTIONAL, ".google.protobuf.Duration"),
    ):
        file.message_type.add(name=message).field.add(
            name=field, number=number, label=label, type=kind.TYPE_MESSAGE, type_name=type_name
        )
    pool.Add(file)
    messages = (pool.FindMessageTypeByName(f"fstore.details.{name}") for name in ("Status", "RetryInfo"))
    status, retry_info = map(message_factory.GetMessageClass, messages)
    return status, retry_info


_STATUS, _RETRY_INFO = _details()
