"""examples/orchestration/prefect_flow.py runs in Prefect."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import prefect_flow
import pytest
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_URL
from prefect.states import Failed
from prefect.testing.utilities import prefect_test_harness

import fstore
from tests.conftest import started

AT = datetime(2025, 12, 1, tzinfo=timezone.utc)
MUST_LOOK = {
    fstore.InvalidRequest,
    fstore.DefinitionError,
    fstore.CheckFailed,
    fstore.Conflict,
    fstore.Unauthenticated,
    fstore.PermissionDenied,
}


@pytest.fixture(scope="module", autouse=True)
def prefect() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=300):
        yield


def test_the_flow_runs_and_runs_again(repo: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    digest = prefect_flow.features(str(repo), AT)
    assert prefect_flow.features(str(repo), AT) == digest
    assert fstore.Repo(repo, binary=binary).training_set("churn_2025_12_01").digest == digest


def test_a_scheduled_run_is_as_of_its_schedule(repo: Path, binary: Path) -> None:
    variables = {
        "FSTORE_BINARY": str(binary),
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "PYTHONUNBUFFERED": "1",
        "CRON": "0 0 29 2 *",  # a run of the schedule itself would make a second training set
    }
    with started([sys.executable, prefect_flow.__file__, str(repo)], "is being served", variables):
        done = run_deployment("features/nightly", scheduled_time=AT, timeout=240, poll_interval=1)
    assert done.state.is_completed(), done.state
    names = [made["name"] for made in fstore.Repo(repo, binary=binary).training_sets()]
    assert names == ["churn_2025_12_01"]


def test_an_offset_that_was_given_counts() -> None:
    for text in ("2025-12-01T01:00:00+01:00", "2025-11-30T19:00:00-05:00", "2025-12-01"):
        assert prefect_flow.in_utc(datetime.fromisoformat(text)) == AT
        assert prefect_flow.in_utc(datetime.fromisoformat(text)).utcoffset() == AT.utcoffset()


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


@pytest.mark.parametrize(
    "kind", [k for k in vars(fstore).values() if isinstance(k, type) and issubclass(k, fstore.Error)]
)
def test_every_class_of_error_has_its_answer(kind: type[fstore.Error]) -> None:
    retried = prefect_flow.may_succeed_later(None, None, Failed(data=kind("text")))
    assert retried == (kind not in MUST_LOOK)
