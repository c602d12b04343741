"""The workflow of examples/github has the steps that `make loop` runs and checks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import services  # type: ignore[import-not-found]
import steps
import yaml

from tests.conftest import ROOT

CHECKS = ["every_answer", "skew"]  # what only the loop does: it makes the load, and has the served log


def names() -> list[str]:
    """What the loop does from an alert on, by the names of its first round."""
    return [s.__name__.removesuffix("_again") for s in steps.ROUND if s.__name__ not in CHECKS]


def test_the_workflow_has_the_steps_of_the_loop() -> None:
    workflow = yaml.safe_load((ROOT / "examples/github/loop.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [s["id"] for s in job["steps"] if "id" in s] == names()


def test_only_drift_goes_beyond_the_alert() -> None:
    workflow = yaml.safe_load((ROOT / "examples/github/loop.yml").read_text())
    (job,) = workflow["jobs"].values()
    alert, *others = (s for s in job["steps"] if "id" in s)
    assert "if" not in alert
    assert {s["if"] for s in others} == {"steps.alert.outputs.drifted == 'true'"}
    assert job["defaults"]["run"]["shell"] == "bash"  # with pipefail: a gate that refuses ends the job


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[services.Services]:
    with services.Services(tmp_path / "logs", os.environ) as running:
        yield running


def test_stop_ends_a_program_and_all_that_it_started(programs: services.Services, tmp_path: Path) -> None:
    """Those that do not heed SIGTERM are ended by force, also if the program itself has gone."""
    os.mkfifo(tmp_path / "alive")
    command = "(trap '' TERM; exec >alive; echo ready; sleep 1000) & wait"
    programs.start("stubborn", ["sh", "-c", command], tmp_path)
    with (tmp_path / "alive").open() as alive:
        assert alive.readline() == "ready\n"
        programs.stop("stubborn", patience=60)
        assert alive.read() == ""  # it ends when nobody can write to it any more


def test_stop_sends_nothing_to_an_id_that_may_be_of_others(
    programs: services.Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.start("short", ["true"], tmp_path)
    programs._running["short"].wait()
    sent: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _: sent.append(pid))
    programs.stop("short")
    assert sent == []


def test_a_command_that_hangs_is_ended(programs: services.Services, tmp_path: Path) -> None:
    with pytest.raises(services.Failed, match="has not ended within"):
        programs.run("sleep 1000 & sleep 1000", tmp_path, longest=0.1)


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    assert services.whole_lines(file) == []
    for text, lines in (
        ("", []),
        ('{"a"', []),
        ('{"a": 1}\n', ['{"a": 1}']),
        ('{"a": 1}\n{"b', ['{"a": 1}']),
    ):
        file.write_text(text)
        assert services.whole_lines(file) == lines


def test_ports_are_not_those_of_connections_and_not_given_twice() -> None:
    ports = [services.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert all(port in services.PORTS for port in ports)
