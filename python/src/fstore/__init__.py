"""fstore in Python: look-ups from a server, and feature repos on this machine.

    import fstore

    with fstore.Client("127.0.0.1:6566") as client:
        answer = client.online(service="churn", entities={"customer_id": [12003, 99999]})
        answer.to_pandas()

What is heavy (pyarrow, pandas, polars) is imported when it is first needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fstore.errors import (
    Busy,
    CheckFailed,
    Conflict,
    DataLoss,
    DeadlineExceeded,
    DefinitionError,
    Error,
    InvalidRequest,
    NotFound,
    NotPublished,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

if TYPE_CHECKING:
    from fstore._command import RepoWarning
    from fstore._transport import TLS
    from fstore._version import __version__
    from fstore.aio import AsyncClient
    from fstore.answer import Answer
    from fstore.client import Client
    from fstore.describe import Description, Version
    from fstore.flight import RemoteTrainingSet
    from fstore.repo import Repo
    from fstore.scoring import score_batch
    from fstore.server import Server
    from fstore.training import TrainingSet

__all__ = [
    "TLS",
    "Answer",
    "AsyncClient",
    "Busy",
    "CheckFailed",
    "Client",
    "Conflict",
    "DataLoss",
    "DeadlineExceeded",
    "DefinitionError",
    "Description",
    "Error",
    "InvalidRequest",
    "NotFound",
    "NotPublished",
    "PermissionDenied",
    "RemoteTrainingSet",
    "Repo",
    "RepoWarning",
    "Server",
    "TooLarge",
    "TrainingSet",
    "Unauthenticated",
    "Unavailable",
    "Version",
    "__version__",
    "score_batch",
]

# Where the names live that are imported when they are first used.
_LAZY = {
    "Answer": "fstore.answer",
    "AsyncClient": "fstore.aio",
    "Client": "fstore.client",
    "RemoteTrainingSet": "fstore.flight",
    "Repo": "fstore.repo",
    "RepoWarning": "fstore._command",
    "Server": "fstore.server",
    "TrainingSet": "fstore.training",
    "__version__": "fstore._version",
    "Description": "fstore.describe",
    "Version": "fstore.describe",
    "TLS": "fstore._transport",
    "score_batch": "fstore.scoring",
}
_MODULES = {"mlflow"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"fstore.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
