"""Training sets of a server, over Arrow Flight on the port of the look-ups."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import grpc

from fstore import _flight, display
from fstore import labels as _labels
from fstore._attempts import Attempts, retry_after
from fstore._command import RepoWarning, hear, reported
from fstore._selection import Model, model_of
from fstore._unreachable import explain
from fstore.errors import Conflict, DataLoss, Error, InvalidRequest, of_status
from fstore.progress import Bar
from fstore.results import Difference, Features, Table, Verified
from fstore.training import TrainingSet

if TYPE_CHECKING:
    from fstore.client import Client

_CREATE, _PREVIEW = "fstore.create_training_set", "fstore.preview_training_set"
_SAID = {"progress", "warning", "note", "error"}
_SETS, _LABELS = "training_sets", "labels"


class Flight:
    """The calls of Arrow Flight of one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, request: dict[str, Any], labels: Any, progress: bool | None) -> RemoteTrainingSet:
        """Sends labels, has the training set made and returns it."""
        self._give(labels, request)
        with closing(self._act(_CREATE, request, progress)) as answer:
            result = _summary(answer)
        existing = bool(result.get("existing"))
        return self.open(request["name"], existing=existing, counts=None if existing else result["views"])

    def preview(self, request: dict[str, Any], labels: Any, progress: bool | None) -> Features:
        """Sends labels and returns them with their features."""
        self._give(labels, request)
        with (
            closing(self._act(_PREVIEW, request, progress)) as answer,
            tempfile.TemporaryFile(prefix="fstore-") as file,
        ):
            made = _summary(answer)
            for piece in answer:
                file.write(piece)
            if file.tell() != made["bytes"]:
                raise DataLoss(f"{file.tell():,} of {made['bytes']:,} bytes of the features arrived")
            return Features.read(file, made["features"], _labels.has_types(labels))

    def _give(self, labels: Any, request: dict[str, Any]) -> None:
        """Puts labels into a request: a query as it is, rows as the digest that the server has given them."""
        query = _labels.query(labels)
        if query is not None:
            request["labels_sql"] = query
        else:
            self._reach()
            request["labels"] = self._upload(labels)

    def open(
        self, name: str, *, existing: bool = True, counts: list[dict[str, Any]] | None = None
    ) -> RemoteTrainingSet:
        """Returns the training set that has a name."""
        info = _flight.Info.FromString(self._info(_SETS, name, "bytes"))
        meta = json.loads(info.app_metadata)
        return RemoteTrainingSet(self, info.endpoint[0].ticket.ticket, meta, existing=existing, counts=counts)

    def listed(self) -> Table:
        """Returns the training sets that the caller may read, the newest first."""
        rows = []
        for message in self._stream("ListFlights", _flight.Criteria().SerializeToString()):
            rows.append(json.loads(_flight.Info.FromString(message).app_metadata or b"{}"))
        names = ("name", "created", "service", "rows", "bytes", "digest")
        return Table(display.count(len(rows), "training set"), {n: n for n in names}, rows)

    def download(self, ticket: bytes, file: Any) -> str:
        """Writes the file of a ticket and returns its SHA-256."""
        digest = hashlib.sha256()
        for message in self._stream("DoGet", _flight.Ticket(ticket=ticket).SerializeToString()):
            part = _flight.piece(message)
            digest.update(part)
            file.write(part)
        return digest.hexdigest()

    def _reach(self) -> None:
        """Connects, with the client's retries, before labels are sent: those of a stream cannot be sent twice.

        The call is one that needs no grant.
        """
        for _ in self._stream("ListActions", b""):
            pass

    def _info(self, *path: str) -> bytes:
        try:
            return self._client._unary(_flight.SERVICE + "GetFlightInfo", _flight.descriptor(*path))
        except Error as error:
            raise self._offered(error) from None

    def _offered(self, error: Error) -> Error:
        """Returns an error that says so if the server has no Flight."""
        if not error.message.startswith("UNIMPLEMENTED"):
            return error
        return Error(
            f"the server at {self._client.address} serves no training sets",
            ["start it with fstore serve --offline"],
        )

    def _upload(self, labels: Any) -> str:
        """Sends labels and returns their digest on the server."""
        schema, batches = _labels.batches(labels)
        failed: list[BaseException] = []

        def messages() -> Iterator[bytes]:
            try:
                yield from _flight.uploaded((_LABELS,), schema, batches)
            except BaseException as error:  # gRPC would only say that the iterator failed
                failed.append(error)
                raise

        send = self._client._opened().stream("stream_stream", _flight.SERVICE + "DoPut")
        call = send(messages(), metadata=self._client._transport.metadata())
        try:
            answers = list(call)
        except grpc.RpcError as error:
            if failed:
                raise failed[0] from None
            raise self._offered(self._error(error)) from None
        except BaseException:
            call.cancel()
            raise
        return str(json.loads(_flight.PutResult.FromString(answers[-1]).app_metadata)["digest"])

    def _act(self, action: str, request: dict[str, Any], progress: bool | None) -> Generator[bytes]:
        """Has an action done, shows how far it is, and yields its results: the summary, and what follows it."""
        bar = Bar(f"training-set {action.split('.')[1].split('_')[0]}", progress)
        failure: dict[str, Any] | None = None
        summarized = False
        try:
            with closing(self._stream("DoAction", _flight.action(action, request))) as messages:
                for message in messages:
                    body = _flight.Result.FromString(message).body
                    said = {} if summarized else json.loads(body)
                    if said.keys() & _SAID:
                        if warning := hear(said, bar):
                            warnings.warn(warning, RepoWarning, stacklevel=5)
                        failure = said.get("error", failure)
                    else:
                        summarized = True
                        bar.close()
                        yield body
        except Error:
            if failure is not None:
                raise _in_python(reported(failure)) from None
            raise
        finally:
            bar.close()

    def _stream(self, method: str, request: bytes) -> Generator[bytes]:
        """Yields the answers of a call. It is sent again only before its first answer."""
        client = self._client
        attempts = Attempts(client._timeout, client._retries)
        while True:
            attempts.remaining()
            send = client._opened().stream("unary_stream", _flight.SERVICE + method)
            call = send(request, metadata=client._transport.metadata())
            begun = False
            try:
                for answer in call:
                    begun = True
                    yield answer
                return
            except grpc.RpcError as error:
                if begun:
                    raise self._error(error) from None
                try:
                    client._pause(error, attempts)
                except Error as failure:
                    raise self._offered(failure) from None
            finally:
                call.cancel()

    def _error(self, failure: Any) -> Error:
        """Returns the error of a call that is not sent again."""
        text, transport = failure.details() or "", self._client._transport
        return explain(
            of_status(failure.code().name, text, retry_after(failure)),
            text,
            self._client.address,
            transport.tls,
        )


def _summary(answer: Iterator[bytes]) -> dict[str, Any]:
    """Returns the summary of an action, which is its first result."""
    for body in answer:
        return dict(json.loads(body))
    raise DataLoss("the answer of the server ended before its summary", ["look at the server's log"])


def _in_python(error: Error) -> Error:
    """Returns an error of the command with the hint that a caller of this package can follow."""
    error.hints = [h.replace("pass --replace", "pass replace=True") for h in error.hints]
    if isinstance(error, Conflict):
        return Conflict(error.message, error.hints)
    return error


class RemoteTrainingSet(TrainingSet):
    """A training set of a server: rows x (the label columns as they were given, then the features).

    Its lock is here at once; its file comes down when the rows are first needed, to a temporary folder that is removed
    with this object. Its SHA-256 must be the one in the lock. All else is as in `TrainingSet`.
    """

    def __init__(
        self,
        flight: Flight,
        ticket: bytes,
        meta: Mapping[str, Any],
        *,
        existing: bool = True,
        counts: list[dict[str, Any]] | None = None,
    ) -> None:
        self._flight = flight
        self._ticket = ticket
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # of _path
        self.existing = existing
        self.counts = counts
        self.__dict__["lock"] = MappingProxyType(meta["lock"])

    @property
    def path(self) -> Path:
        """The Parquet file, in a temporary folder that is removed with this object. It comes down first, if need be."""
        return self._checked()

    @property
    def lock_path(self) -> Path:
        """Raises InvalidRequest: the lock of a training set of a server is a file only after `save`."""
        raise InvalidRequest(
            f"the lock of training set {self.name} is no file here: the training set is that of a server",
            ["save() it, which writes the lock beside the Parquet file, or read its `lock`"],
        )

    def save(self, out: str | os.PathLike[str]) -> Path:
        """Writes the Parquet file to `out` and its lock beside it, and returns the path."""
        source, path = self._checked(), Path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        lock = path.with_name(path.name.removesuffix(".parquet") + ".lock.json")
        lock.write_bytes(self._lock_text().encode())
        return path

    def verify(self, *, rebuild: bool = True, rehash: bool = False) -> Verified:
        """Raises InvalidRequest: a training set is verified where its sources are."""
        raise self._elsewhere("verified", f"fstore training-set verify {self.name}")

    def rebuild(self, out: str | os.PathLike[str], *, overwrite: bool = False) -> TrainingSet:
        """Raises InvalidRequest: a training set is rebuilt where its sources are."""
        raise self._elsewhere("rebuilt", f"fstore training-set rebuild {self.name}")

    def diff(self, other: TrainingSet | str | os.PathLike[str]) -> Difference:
        """Raises InvalidRequest: `Repo` compares training sets, by their locks."""
        raise self._elsewhere("compared", f"fstore training-set diff {self.name}")

    def _lock_text(self) -> str:
        return json.dumps(dict(self.lock), indent=2, ensure_ascii=False) + "\n"

    @contextmanager
    def _lock_file(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="fstore-") as folder:
            path = Path(folder) / "training_set.lock.json"  # its name comes from the server
            path.write_bytes(self._lock_text().encode())
            yield path

    def _location(self) -> str:
        return self._flight._client.address

    def _remedy(self, *flags: str) -> str:
        return "open the training set again, with client.training_set(name)"

    def _elsewhere(self, what: str, command: str) -> InvalidRequest:
        hint = f"run {command} on the server, or save() it and use fstore.Repo on this machine"
        return InvalidRequest(f"a training set of a server is not {what} here", [hint])

    def _checked(self) -> Path:
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="fstore-")
            path = Path(folder.name) / "training_set.parquet"  # its name comes from the server
            with path.open("wb") as file:
                digest = self._flight.download(self._ticket, file)
            if digest != self.lock["output"]["sha256"]:
                raise DataLoss(
                    f"the file of training set {self.name} did not arrive as its lock describes it"
                )
            self._path, self._folder = path, folder
        return super()._checked()

    def _place(self) -> str:
        return f"on {self._location()}"


def request_of(
    service: str | None, features: str | Sequence[str] | None, model: Model | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the body of an action, without the labels."""
    if sum(given is not None for given in (service, features, model)) != 1:
        raise InvalidRequest("name one of a service, features and a model")
    chosen: dict[str, Any] = {"features": _listed(features)}
    if service is not None:
        chosen = {"service": service}
    elif model is not None:
        chosen = {"model": "@".join(model_of(model))}
    return {**chosen, **{k: v for k, v in options.items() if not _is_left_out(v)}}


def _is_left_out(option: Any) -> bool:
    """Reports whether an option was not given. 0 was: it equals False, and is not it."""
    return option is None or option is False or option == []


def _listed(texts: str | Sequence[str] | None) -> list[str]:
    if texts is None:
        return []
    return [texts] if isinstance(texts, str) else [*texts]
