"""A look-up, step by step, without sending anything: Client and AsyncClient send what it yields."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from fstore import _request
from fstore._selection import Selection
from fstore.answer import Answer
from fstore.describe import Description
from fstore.errors import InvalidRequest
from fstore.v1 import feature_store_pb2 as pb

_SERVICE = "/fstore.v1.FeatureStore/"
GET, DESCRIBE = _SERVICE + "GetOnlineFeatures", _SERVICE + "DescribeFeatures"

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request to send: a method and the bytes of its message. The bytes of the answer come back."""

    method: str
    request: bytes


Steps = Generator[Call, bytes, T]

_MAX_CACHED = 1000  # selections
_ROUNDS = 3  # of definitions that change while a frame is looked up


class Lookups:
    """The look-ups of one client, and what it knows of selections."""

    def __init__(self) -> None:
        self._known: dict[Selection, Description] = {}
        self._lock = Lock()  # guards _known

    def describe(self, selection: Selection) -> Steps[Description]:
        """Asks the server what a selection needs and returns."""
        request = pb.DescribeFeaturesRequest(**selection.fields())
        description = Description.of((yield Call(DESCRIBE, request.SerializeToString())))
        with self._lock:
            self._known.pop(selection, None)
            if len(self._known) >= _MAX_CACHED:
                self._known.pop(next(iter(self._known)))
            self._known[selection] = description
        return description

    def online(self, selection: Selection, entities: Any, event_timestamps: bool) -> Steps[Answer]:
        """Looks up the features of rows of keys."""
        if isinstance(entities, list):
            entities = yield from self._columns_of(selection, entities)
        if entities is None or isinstance(entities, Mapping):
            columns = _request.of_dict(entities or {})
            if columns.untyped():
                known = self._known.get(selection) or (yield from self.describe(selection))
                columns = columns.typed(known.columns)
            return (yield from _get(selection, columns, event_timestamps))
        return (yield from self._online_frame(selection, entities, event_timestamps))

    def published(self, selection: Selection) -> Steps[dict[str, datetime]]:
        """Looks up no rows: the answer says which view versions it is from, and what they are as of."""
        description = yield from self.describe(selection)
        answer = yield from self.online(selection, {name: [] for name in description.columns}, False)
        return answer.published

    def _columns_of(self, selection: Selection, rows: list[Any]) -> Steps[dict[str, list[Any]]]:
        """Returns the columns of rows; of no rows, the columns that the features need."""
        if rows:
            return _request.columns_of(rows)
        known = self._known.get(selection) or (yield from self.describe(selection))
        return {name: [] for name in known.columns}

    def _online_frame(self, selection: Selection, entities: Any, event_timestamps: bool) -> Steps[Answer]:
        """Looks up the rows of a frame. Only the columns that the features need are sent.

        What they need is asked once. If an answer is of other versions, or the server refuses the columns, it is asked
        again, and the look-up is repeated if it needs other columns now.
        """
        from fstore import arrowio

        if not arrowio.is_frame(entities):
            raise InvalidRequest(
                f"entities is a {type(entities).__name__}",
                ['give columns, {"customer_id": [12003]}, rows, [{"customer_id": 12003}], or a DataFrame'],
            )
        frame = arrowio.held(entities)
        known = self._known.get(selection)
        fresh = known is None
        for _ in range(_ROUNDS):
            known = known or (yield from self.describe(selection))
            columns = _request.of_table(arrowio.table_of(frame, known.columns)).typed(known.columns)
            outcome: Answer | InvalidRequest
            try:
                outcome = yield from _get(selection, columns, event_timestamps)
            except InvalidRequest as refused:
                outcome = refused
            if known.describes(outcome) if isinstance(outcome, Answer) else fresh:
                break
            newer = yield from self.describe(selection)
            if newer.columns == known.columns:
                break
            known, fresh = newer, True
        if isinstance(outcome, InvalidRequest):
            raise outcome
        return outcome


def _get(selection: Selection, columns: _request.Columns, event_timestamps: bool) -> Steps[Answer]:
    request = pb.GetOnlineFeaturesRequest(
        entities=columns.columns, event_timestamps=event_timestamps, **selection.fields()
    ).SerializeToString()
    return Answer((yield Call(GET, request)), request)
