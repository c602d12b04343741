"""Which features a look-up asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fstore.errors import InvalidRequest
from fstore.v1 import feature_store_pb2 as pb

Model = str | tuple[str, str | int]


@dataclass(frozen=True)
class Selection:
    """Which features: exactly one of a service, references of features, or a version of a model."""

    service: str = ""
    features: tuple[str, ...] = ()
    model: tuple[str, str] = ("", "")

    def fields(self) -> dict[str, Any]:
        """Returns the selection as fields of a request's message."""
        if self.service:
            return {"service": self.service}
        if self.model[0]:
            return {"model": pb.ModelRef(name=self.model[0], version=self.model[1])}
        return {"features": pb.FeatureRefs(refs=self.features)}


def selection_of(service: str | None, features: str | Iterable[str] | None, model: Model | None) -> Selection:
    """Returns the selection that the arguments of a look-up stand for."""
    given = [
        name for name, value in (("service", service), ("features", features), ("model", model)) if value
    ]
    if len(given) != 1:
        what = " and ".join(given) if given else "none of service, features and model"
        raise InvalidRequest(f"{what} given, want exactly one", ['for example service="churn"'])
    if service:
        return Selection(service=service)
    if model:
        return Selection(model=model_of(model))
    return Selection(features=(features,) if isinstance(features, str) else tuple(features or ()))


def model_of(model: Model) -> tuple[str, str]:
    """Returns the name of a model and its version or alias."""
    if isinstance(model, str):
        name, _, version = model.rpartition("@") if "@" in model else model.rpartition("/")
        if name and version:
            return name, version
    elif len(model) == 2 and all(str(part) for part in model):
        return str(model[0]), str(model[1])
    raise InvalidRequest(
        f"model {model!r} has no version", ['name a version ("fraud/3") or an alias ("fraud@champion")']
    )
