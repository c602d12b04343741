"""Converts Feast repos, and serves what came of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from feast import FeatureStore, RepoConfig

from tests.conftest import fstore, serving

os.environ["FEAST_USAGE"] = "False"


@dataclass
class Moved:
    """A Feast repo and the fstore repo that was converted from it, both materialized to one instant, and a server of the latter."""

    feast: FeatureStore  # over Feast's own online store
    remote: FeatureStore  # the same definitions, over the server
    repo: Path  # fstore's
    said: str  # what init printed
    grpc: str  # the server's addresses
    http: str
    to: datetime


def run(*command: str, where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def moved(binary: Path, folder: Path, to: datetime) -> Iterator[Moved]:
    """Applies a Feast repo, converts it, and serves it."""
    tool = str(Path(sys.executable).parent / "feast")
    run(tool, "apply", where=folder)
    store = FeatureStore(repo_path=str(folder))
    store.materialize(start_date=to - timedelta(days=365), end_date=to)
    repo = folder.parent / "moved"
    said = fstore(binary, "init", str(repo), "--from-feast", str(folder), "--python", sys.executable)
    fstore(binary, "validate", repo=repo)
    fstore(binary, "apply", "--yes", repo=repo)
    fstore(binary, "materialize", "--to", to.isoformat(), repo=repo)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        http = f"127.0.0.1:{s.getsockname()[1]}"
    with serving(binary, repo, "--feast", "--http", http) as grpc:
        remote = FeatureStore(
            config=RepoConfig(
                project=store.project,
                registry=str(folder / "data/registry.db"),
                provider="local",
                online_store={"type": "remote", "path": f"http://{http}"},
                entity_key_serialization_version=3,
            )
        )
        yield Moved(store, remote, repo, said, grpc, http, to)
