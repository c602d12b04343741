"""The client of a running fstore server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from fstore._attempts import Attempts
from fstore._connected import Connected
from fstore._lookup import Call, Steps
from fstore._selection import Model, selection_of
from fstore._transport import Channel
from fstore.answer import Answer
from fstore.describe import Description
from fstore.errors import InvalidRequest
from fstore.instant import Instant, instant

if TYPE_CHECKING:
    from fstore.flight import RemoteTrainingSet
    from fstore.results import Features, Table

T = TypeVar("T")


class Client(Connected):
    """Looks up features from one server over gRPC. It is safe to share between threads; make one per process.

    It connects with the first call. A process that is forked before that call (gunicorn's workers) connects by itself;
    gRPC does not support forking after a call.
    """

    def _start(self) -> None:
        self._lock = threading.Lock()  # guards _channel and _owner
        self._channel: Channel | None = None
        self._owner = 0  # the process that opened the channel

    def online(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        entities: Any = None,
        event_timestamps: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Returns the features of rows of keys, as last published. Row i answers row i of entities.

        service, features or model: which features; give one. features are references: "view.feature", "view.*",
            "view.feature=name", "view@2.feature". A model is "fraud@champion", "fraud/3" or ("fraud", "3").
        entities: the keys, and what on-demand features read. A dict of columns: each a list, an array, or a scalar for
            one row; all are sent. Or a list of rows, each a dict with the same names. Or a frame (pandas, polars,
            pyarrow, anything with __arrow_c_stream__): only the columns that the features need are sent. Up to 10,000
            rows. None or no columns for views without entities.
        event_timestamps: whether the answer has the event time of each value.
        timeout: seconds for this call, instead of the client's.

        Values are sent exactly or refused. None is null; a time without a zone is UTC; int64 stays int64.

        Raises InvalidRequest, NotFound, NotPublished, TooLarge, Unauthenticated, PermissionDenied, Unavailable (also
        Busy and DeadlineExceeded) and DataLoss.
        """
        steps = self._lookups.online(selection_of(service, features, model), entities, event_timestamps)
        return self._run(steps, timeout)

    def describe(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        timeout: float | None = None,
    ) -> Description:
        """Returns the columns that a look-up needs, and the features of its answer."""
        return self._run(self._lookups.describe(selection_of(service, features, model)), timeout)

    def training_set(
        self,
        name: str,
        *,
        service: str | None = None,
        features: str | Sequence[str] | None = None,
        model: Model | None = None,
        labels: Any = None,
        timestamp: str | None = None,
        label: str | Sequence[str] | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
        as_of: Instant | None = None,
        snapshot: bool = False,
        replace: bool = False,
        leak_check: int | str | None = None,
        progress: bool | None = None,
    ) -> RemoteTrainingSet:
        """Has the server make a training set, or returns the one that was made from the same inputs. Only a name opens one.

        Arguments are those of `Repo.training_set`; a path is that of a Parquet file on this machine, and a query reads the
        sources of the server. Labels go up in batches, the server computes, and the rows come down when they are first
        needed. It takes as long as it takes; interrupting it stops the computation.

        The server must run with `--offline`. Raises `Conflict` if NAME exists and was made from something else, and
        `Busy` if too many training sets wait already.
        """
        from fstore import flight

        if labels is None and service is None and features is None and model is None:
            return flight.Flight(self).open(name)
        if labels is None:
            raise InvalidRequest(
                "labels is missing", ["pass a frame, the path of a Parquet file, or a query"]
            )
        options = {
            "timestamp": timestamp,
            "label": [label] if isinstance(label, str) else list(label or ()),
            "sample": sample,
            "seed": sample_seed,
            "as_of": instant(as_of),
            "leak_check": None if leak_check is None else str(leak_check),
            "snapshot": snapshot,
            "replace": replace,
        }
        request = {"name": name, **flight.request_of(service, features, model, options)}
        return flight.Flight(self).create(request, labels, progress)

    def features(
        self,
        labels: Any,
        *,
        service: str | None = None,
        features: str | Sequence[str] | None = None,
        model: Model | None = None,
        timestamp: str | None = None,
        as_of: Instant | None = None,
        progress: bool | None = None,
    ) -> Features:
        """Returns rows x (label columns, then features as known at each row's instant), without a name, a lock or a record.

        The server computes them; the values are those that a training set would have. The rows are held in memory.
        Arguments are as in `training_set`. The server must run with `--offline`.
        """
        from fstore import flight

        options = {"timestamp": timestamp, "as_of": instant(as_of)}
        request = flight.request_of(service, features, model, options)
        return flight.Flight(self).preview(request, labels, progress)

    def training_sets(self) -> Table:
        """Lists the training sets of the server's project that the caller may read, the newest first."""
        from fstore import flight

        return flight.Flight(self).listed()

    def published(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        timeout: float | None = None,
    ) -> dict[str, datetime]:
        """Returns the instant, in UTC, that the values of each view version are as of: {"customer_orders@3": …}.

        This is for health checks. It looks up no rows.
        """
        return self._run(self._lookups.published(selection_of(service, features, model)), timeout)

    def close(self) -> None:
        """Closes the connection. Calls in flight end with an error."""
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
        if channel is not None and self._owner == os.getpid():
            channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Steps[T], timeout: float | None) -> T:
        """Sends what the steps yield, within one deadline, and returns their result."""
        attempts = self._attempts(timeout)
        try:
            call = next(steps)
            while True:
                try:
                    answer = self._send(call, attempts)
                except InvalidRequest as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, call: Call, attempts: Attempts) -> bytes:
        while True:
            send = self._opened().method(call.method)
            try:
                answer: bytes = send(
                    call.request, timeout=attempts.remaining(), metadata=self._transport.metadata()
                )
                return answer
            except grpc.RpcError as failure:
                self._pause(failure, attempts)

    def _pause(self, failure: Any, attempts: Attempts) -> None:
        """Returns when a call that failed may be sent again, or raises its error."""
        if failure.code() is grpc.StatusCode.UNAVAILABLE and self._renew():
            return
        time.sleep(attempts.after(failure, self.address, self._transport.tls))

    def _unary(self, method: str, request: bytes) -> bytes:
        """Sends a request of another service, with the retries of look-ups."""
        return self._send(Call(method, request), self._attempts())

    def _opened(self) -> Channel:
        """Returns this process's channel."""
        if self._channel is not None and self._owner == os.getpid():
            return self._channel
        with self._lock:
            if self._closed:
                raise InvalidRequest("the client is closed", ["make another"])
            if self._channel is None or self._owner != os.getpid():
                self._channel, self._owner = Channel(self._transport, grpc), os.getpid()
            return self._channel

    def _renew(self) -> bool:
        """Forgets the channel if the files of TLS have changed since it was opened, and reports whether it did."""
        with self._lock:
            if self._channel is None or not self._channel.is_outdated():
                return False
            self._channel = None
            return True
