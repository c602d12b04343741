"""examples/orchestration/prefect_flow.py runs in Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import prefect_flow
import pytest
from prefect.testing.utilities import prefect_test_harness

import fstore

AT = datetime(2025, 12, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=300):
        yield


def test_the_flow_runs_and_runs_again(repo: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    digest = prefect_flow.features(str(repo), AT)
    assert prefect_flow.features(str(repo), AT) == digest
    assert fstore.Repo(repo, binary=binary).training_set("churn_2025_12_01").digest == digest


@pytest.mark.parametrize(("online", "attempts"), [("redis://127.0.0.1:1/0", 3), ("nonsense", 1)])
def test_only_what_may_succeed_later_is_retried(
    online: str, attempts: int, repo: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    run = fstore.Repo.materialize

    def counted(self: fstore.Repo, **options: object) -> object:
        calls.append(options)
        return run(self, **options)  # type: ignore[arg-type]

    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    monkeypatch.setenv("FSTORE_ONLINE", online)
    monkeypatch.setattr(fstore.Repo, "materialize", counted)
    hasty = prefect_flow.materialize.with_options(retries=2, retry_delay_seconds=0)
    with pytest.raises(fstore.Error):
        hasty(str(repo), AT)
    assert len(calls) == attempts
