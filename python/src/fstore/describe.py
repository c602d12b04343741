"""What a service, a model or a list of features needs and returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from fstore import _columns, display
from fstore._wire import PackedDescription
from fstore.errors import DataLoss

if TYPE_CHECKING:
    from fstore.answer import Answer


@dataclass(frozen=True)
class Version:
    """A service, a model or an on-demand view, and a version of it; of a model never an alias."""

    name: str
    version: int | str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True)
class RequestColumn:
    """A column that on-demand features read, beside the keys."""

    name: str
    type: str
    required: bool
    """Whether a request must have the column. If not, `default` stands for a missing column and for null."""
    default: Any
    description: str


@dataclass(frozen=True)
class Feature:
    """A feature of an answer."""

    name: str
    """Its name in the answer."""
    type: str
    """As definitions write it: "float64", "list<float32>"."""
    view: Version
    """The view or on-demand view that it comes from."""
    feature: str
    """Its name in the view."""
    description: str


@dataclass(frozen=True)
class Description:
    """What callers must send and what they get."""

    keys: dict[str, str]
    """The key columns that a request must have: name → type."""
    request_columns: list[RequestColumn]
    features: list[Feature]
    """In the order of an answer."""
    service: Version | None
    model: Version | None

    @staticmethod
    def of(response: bytes) -> Description:
        """Reads the bytes of a DescribeFeaturesResponse."""
        try:
            m = PackedDescription.FromString(response)
        except DecodeError as error:
            raise DataLoss("the server's answer cannot be read") from error
        return Description(
            keys={k.name: k.type for k in m.key_columns},
            request_columns=[
                RequestColumn(c.name, c.type, not c.HasField("default"), _default(c), c.description)
                for c in m.request_columns
            ],
            features=[
                Feature(f.name, f.type, Version(f.view, f.view_version), f.feature, f.description)
                for f in m.features
            ],
            service=Version(m.service.name, m.service.version) if m.HasField("service") else None,
            model=Version(m.model.name, m.model.version) if m.HasField("model") else None,
        )

    @cached_property
    def columns(self) -> dict[str, str]:
        """All columns that a request may need, keys first: name → type."""
        return {c.name: c.type for c in self.request_columns} | self.keys

    def describes(self, answer: Answer) -> bool:
        """Reports whether an answer is of the versions described here."""
        used = {(view.name, view.version) for view in answer.views} | {
            (v.name, v.version) for v in answer.on_demand
        }
        return (answer.service, answer.model) == (self.service, self.model) and self._views <= used

    @cached_property
    def _views(self) -> set[tuple[str, int | str]]:
        return {(feature.view.name, feature.view.version) for feature in self.features}

    def __repr__(self) -> str:
        return display.text(*self._screen())

    def _repr_html_(self) -> str:
        return display.html(*self._screen())

    def _screen(self) -> tuple[str, list[str], list[tuple[str, ...]]]:
        of = self.model or self.service
        title = f"{of}: " if of else ""
        title += f"{display.count(len(self.columns), 'column')} in, {display.count(len(self.features), 'feature')} out"
        rows: list[tuple[str, ...]] = [("key", name, kind, "") for name, kind in self.keys.items()]
        rows += [("request column", c.name, c.type, c.description) for c in self.request_columns]
        rows += [("feature", f.name, f.type, f.description or str(f.view)) for f in self.features]
        return title, ["", "name", "type", "description"], rows


def _default(column: Any) -> Any:
    return _columns.values_of(column.default, 1)[0] if column.HasField("default") else None
