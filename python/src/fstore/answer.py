"""What a look-up returns: features of rows, column by column, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError

from fstore import _columns, display
from fstore._wire import PackedRequest, PackedResponse, canonical
from fstore.describe import Version
from fstore.errors import DataLoss, Error, InvalidRequest, NotFound

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from fstore.arrowio import DtypeBackend

T = TypeVar("T")

# The names of the statuses by number. An unknown number, of a newer server, counts as NULL_VALUE.
STATUSES = ("PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE")
_NAMES = STATUSES + ("NULL_VALUE",) * (256 - len(STATUSES))

# An event time before all others: that of a row that always held.
ALWAYS = datetime.min.replace(tzinfo=timezone.utc)
_MINUS_INFINITY = -(2**63 - 1)


@dataclass(frozen=True)
class View:
    """A version of a view whose data an answer uses."""

    name: str
    version: int
    generation: str
    """An opaque word that stays the same as long as the store's copy of the data."""
    published: datetime
    """The instant, in UTC, that the values are as of."""
    stale: bool = False
    """Whether that is longer ago than the max_staleness of the service allows."""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class Builds:
    """The versions of data in the server that on-demand features were computed with."""

    zones: str
    """Of the time zones: "2026a"."""
    unicode: str
    """Of Unicode: "15.0.0"."""


class Answer:
    """The features of `rows` rows, in the order of the request; row i answers row i of the request.

    An Answer decodes a column when it is asked for. It goes wherever Arrow goes: `pl.DataFrame(answer)`,
    `pa.table(answer)`, `duckdb.sql("from answer")`.

    Columns come with the columns that were sent (keys, and what on-demand features read) first, so that a frame says
    whose features it has; `keys=False` leaves them out. A sent column with the name of a feature is left out always.
    """

    def __init__(self, response: bytes, request: bytes) -> None:
        """Parses an answer from the bytes of its message and of the request that it answers."""
        self._bytes = response
        self._request = request
        self._read(response)
        self._mended = False
        self._parsed_request: Any = None

    def _read(self, response: bytes) -> None:
        try:
            self._message = PackedResponse.FromString(response)
        except DecodeError as error:
            raise DataLoss("the server's answer cannot be read") from error
        self._by_name: dict[str, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Answer, (self._bytes, self._request)

    @property
    def rows(self) -> int:
        """The number of rows: that of the request, or 1 if the request had no columns."""
        return int(self._message.rows)

    @property
    def features(self) -> list[str]:
        """The names of the features, in the order of the request."""
        return [feature.name for feature in self._message.features]

    @property
    def types(self) -> dict[str, str]:
        """The type of each feature, as definitions write it: "float64", "list<string>"."""
        return {feature.name: feature.type for feature in self._message.features}

    @property
    def keys(self) -> list[str]:
        """The names of the columns that were sent and come first in frames: keys and request columns."""
        return [column.name for column in self._keys()]

    @property
    def views(self) -> list[View]:
        """The view versions whose data the answer uses, without duplicates."""
        return [
            View(v.name, v.version, v.generation, _columns.instant(v.published_micros), v.stale)
            for v in self._message.views
        ]

    @property
    def published(self) -> dict[str, datetime]:
        """The instant, in UTC, that the values of each view version are as of: {"customer_orders@3": …}."""
        return {str(view): view.published for view in self.views}

    @property
    def stale(self) -> bool:
        """Whether a view was published longer ago than the max_staleness of the service allows."""
        return any(view.stale for view in self._message.views)

    @property
    def on_demand(self) -> list[Version]:
        """The versions of on-demand views that were evaluated, each after those that it reads."""
        return [Version(v.name, v.version) for v in self._message.on_demand]

    @property
    def service(self) -> Version | None:
        """The service that answered, and its version; None if the request named none."""
        m = self._message
        return Version(m.service.name, m.service.version) if m.HasField("service") else None

    @property
    def model(self) -> Version | None:
        """The model that answered, and its version (never an alias); None if the request named none."""
        m = self._message
        return Version(m.model.name, m.model.version) if m.HasField("model") else None

    @property
    def clock(self) -> datetime | None:
        """The instant, in UTC, at which windows without a schedule end; None if no view has such a window."""
        m = self._message
        return _columns.instant(m.clock_micros) if m.HasField("clock_micros") else None

    @property
    def replayed(self) -> datetime | None:
        """The instant, in UTC, that the server replays; None if it answers as of now."""
        m = self._message
        return _columns.instant(m.replayed_micros) if m.HasField("replayed_micros") else None

    @property
    def builds(self) -> Builds | None:
        """The data compiled into the server that on-demand features depend on; None if none was evaluated."""
        m = self._message
        return Builds(m.builds.zones, m.builds.unicode) if m.HasField("builds") else None

    @property
    def statuses(self) -> Mapping[str, list[str]]:
        """Why each value is as it is: feature → a name per row.

        PRESENT: found, fresh, not null. NULL_VALUE: found, but null. NOT_FOUND: no record for the key.
        OUTSIDE_MAX_AGE: the record is older than the view's ttl; treat it as NOT_FOUND. Unless it is PRESENT, the value
        is the feature's default, or null if it has none.
        """
        return _Columns(self, self._statuses)

    @property
    def event_timestamps(self) -> Mapping[str, list[datetime | None]]:
        """When each value was true: feature → an instant in UTC per row, None if there is no record.

        A row that always held has `ALWAYS`, the earliest datetime. Raises InvalidRequest unless the look-up asked for
        event_timestamps.
        """
        if not self._asked().event_timestamps:
            raise InvalidRequest(
                "the look-up did not ask for event times", ["online(…, event_timestamps=True)"]
            )
        return _Columns(self, self._events)

    def to_dict(self, *, keys: bool = True) -> dict[str, list[Any]]:
        """Returns column → list of `rows` values: None for null, datetime in UTC, a list for a list."""
        sent = {c.name: _columns.values_of(c, self.rows) for c in self._keys()} if keys else {}
        return sent | {name: self[name] for name in self.features}

    def to_arrow(self, *, keys: bool = True) -> pa.Table:
        """Returns a table of `rows` rows. Fixed-width values are not copied.

        Its types are bool, int32, int64, float32, float64, string, binary, timestamp("us", "UTC") and lists of them.
        Nulls are null, and NaN is NaN.
        """
        from fstore._arrays import table_of

        sent = self._keys() if keys else []
        return self._decoded(lambda: table_of([*sent, *self._message.features], self.rows))

    def to_pandas(self, dtype_backend: DtypeBackend | None = None, *, keys: bool = True) -> pd.DataFrame:
        """Returns a DataFrame of `rows` rows with a RangeIndex.

        Integers and booleans with nulls become pandas' nullable types, so that int64 stays exact; other columns are
        numpy's, where a null float is NaN. `dtype_backend` is that of pandas: "numpy_nullable" or "pyarrow", which keep
        null and NaN apart.
        """
        from fstore.arrowio import to_pandas

        return to_pandas(self.to_arrow(keys=keys), dtype_backend)

    def to_polars(self, *, keys: bool = True) -> pl.DataFrame:
        """Returns a polars DataFrame of `rows` rows."""
        from fstore.arrowio import to_polars

        return to_polars(self.to_arrow(keys=keys))

    def to_tensors(self) -> list[dict[str, Any]]:
        """Returns the features as inputs of the Open Inference Protocol (V2), which KServe, Seldon and Triton speak.

        Each is {"name", "shape": [rows], "datatype", "data": a flat list}. A list feature has shape [rows, length]. The
        protocol has no nulls: a null float is NaN. Any other null, and types that the protocol lacks, raise
        InvalidRequest.
        """
        from fstore.tensors import tensor_of

        return [tensor_of(feature, self[feature.name]) for feature in self._message.features]

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __getitem__(self, feature: str) -> list[Any]:
        """Returns the values of a feature: a list of `rows` values, None for null."""
        return self._decoded(lambda: _columns.values_of(self._feature(feature), self.rows))

    def __contains__(self, feature: object) -> bool:
        return feature in self._features()

    def __iter__(self) -> Iterator[str]:
        """Iterates over the names of the features, as a DataFrame does."""
        return iter(self.features)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self.rows

    def __repr__(self) -> str:
        return display.text(*self._screen())

    def _repr_html_(self) -> str:
        return display.html(*self._screen())

    def _screen(self) -> tuple[str, list[str], list[tuple[Any, ...]], int]:
        of = self.model or self.service
        title = f"{of}: " if of else ""
        title += f"{display.count(self.rows, 'row')} × {display.count(len(self.features), 'feature')}"
        published = sorted(set(self.published.values()))
        if published:
            title += ", as of " + " to ".join(map(display.cell, published[:1] + published[1:][-1:]))
        if self.stale:
            title += " (stale)"
        sent, shown = self._keys(), self.features[: display.MAX_COLUMNS]
        columns = [self._shown(lambda c=c: _columns.values_of(c, self.rows)) for c in sent]  # type: ignore[misc]
        columns += [self._shown(lambda name=name: self[name]) for name in shown]  # type: ignore[misc]
        rows = list(zip(*columns, strict=True))
        return title, self.keys + self.features, rows, self.rows

    def _shown(self, decode: Callable[[], list[Any]]) -> list[Any]:
        """Returns the first values of a column; "?" for those that Python cannot have."""
        try:
            return decode()[: display.MAX_ROWS]
        except Error:
            return ["?"] * min(self.rows, display.MAX_ROWS)

    def _features(self) -> dict[str, Any]:
        if self._by_name is None:
            self._by_name = {feature.name: feature for feature in self._message.features}
        return self._by_name

    def _feature(self, name: str) -> Any:
        feature = self._features().get(name)
        if feature is None:
            raise NotFound(f"the answer has no feature {name!r}", [f"it has {', '.join(self.features[:20])}"])
        return feature

    def _keys(self) -> list[Any]:
        """Returns the columns that were sent, as far as no feature has their name."""
        named = self._features()
        return [column for column in self._asked().entities if column.name not in named]

    def _asked(self) -> Any:
        if self._parsed_request is None:
            self._parsed_request = PackedRequest.FromString(self._request)
        return self._parsed_request

    def _decoded(self, decode: Callable[[], T]) -> T:
        """Decodes, after mending the message if its columns look uneven. Raises DataLoss if they are."""
        try:
            return decode()
        except _columns.Uneven as uneven:
            if self._mended:
                raise DataLoss(
                    "the server's answer is inconsistent: a column does not fit its rows"
                ) from uneven
        self._mended = True
        self._read(canonical(self._bytes))
        return self._decoded(decode)

    def _statuses(self, name: str) -> list[str]:
        numbers = self._feature(name).statuses
        if numbers and len(numbers) != self.rows:
            raise DataLoss(f"feature {name} has {len(numbers)} statuses for {self.rows} rows")
        return [_NAMES[n] for n in numbers] if numbers else [STATUSES[0]] * self.rows

    def _events(self, name: str) -> list[datetime | None]:
        feature = self._feature(name)
        if not feature.event_timestamps:
            return [None] * self.rows
        valid = _columns.bitmap_of(feature.event_validity, feature.name, self.rows)
        return _columns.nullable(_columns.instants(feature.event_timestamps, self.rows, _event), valid)


def _event(micros: int) -> datetime:
    return ALWAYS if micros == _MINUS_INFINITY else _columns.instant(micros)


class _Columns(Mapping[str, list[T]]):
    """Feature → list, decoded when it is asked for."""

    def __init__(self, answer: Answer, decode: Callable[[str], list[T]]) -> None:
        self._answer = answer
        self._decode = decode

    def __getitem__(self, feature: str) -> list[T]:
        return self._answer._decoded(lambda: self._decode(feature))

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer)

    def __len__(self) -> int:
        return len(self._answer.features)

    def __repr__(self) -> str:
        return repr(dict(self))
