"""A training set as a stage of DVC, and tracked by DVC without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "dvc"


class Folder:
    """A folder under Git and DVC, in which commands run as a person types them."""

    def __init__(self, path: Path, binary: Path) -> None:
        self.path = path
        commands = path.parent / "bin"
        commands.mkdir()
        (commands / "fstore").symlink_to(binary)
        self.environment = {
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
        }

    def run(self, command: str, status: int = 0) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{command}\n{done.stdout}"
        return done.stdout

    def commit(self, message: str) -> None:
        self.run(f"git add --all && git commit -qm '{message}'")

    def locked(self) -> str:
        """The MD5 of the training set in dvc.lock, which must be the lock's own."""
        text = (self.path / "dvc.lock").read_text()
        (out,) = re.findall(r"- path: churn\.parquet\n\s+hash: md5\n\s+md5: (\w+)\n\s+size: (\d+)\n", text)
        lock = json.loads((self.path / "churn.lock.json").read_text())["output"]
        assert out == (lock["md5"], str(lock["size"]))
        return str(out[0])

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.path / file).read_text()
        assert old in text
        (self.path / file).write_text(text.replace(old, new))


@pytest.fixture
def folder(tmp_path: Path, binary: Path) -> Folder:
    f = Folder(shutil.copytree(EXAMPLE, tmp_path / "churn"), binary)
    f.run("fstore init sample && mv sample/data data && rm -r sample")
    f.run("git init -q && dvc init -q")
    f.run("dvc add -q data/lines data/customers.parquet data/labels.parquet")
    return f


def metrics(text: str) -> Any:
    """What `dvc metrics show --json` printed of the training set."""
    return json.loads(text)[""]["data"]["churn.metrics.json"]["data"]


def test_a_training_set_is_a_stage(folder: Folder) -> None:
    folder.run("dvc repro")
    first = folder.locked()
    shown = metrics(folder.run("dvc metrics show --json"))
    assert shown["rows"] == 736
    assert set(shown["features"]["spend_30d"]) == {"missing", "distinct", "mean", "stddev"}
    assert 0 < shown["labels"]["reordered"]["true"] < 1
    folder.commit("first")

    assert "Data and pipelines are up to date." in folder.run("dvc repro")
    assert "Data and pipelines are up to date." in folder.run("dvc status")
    assert folder.run("git status --porcelain") == ""

    folder.edit("definitions/customer.yaml", "where: quantity > 0, default: 0.0", "default: 0.0")
    assert "Running stage 'training_set'" in folder.run("dvc repro")
    second = folder.locked()
    assert second != first
    assert "features.spend_30d.mean" in folder.run("dvc metrics diff")
    folder.commit("second")

    (folder.path / "data/lines/2025-11.parquet").unlink()
    folder.run("dvc add -q data/lines")
    assert "Running stage 'training_set'" in folder.run("dvc repro")
    assert folder.locked() != second
    folder.commit("third")

    for revision, md5 in [("HEAD~1", second), ("HEAD~2", first)]:
        folder.run(f"git checkout -q {revision} && dvc checkout -q")
        assert folder.locked() == md5
        assert "matches its lock" in folder.run("fstore training-set verify churn.lock.json")
        assert "Data and pipelines are up to date." in folder.run("dvc repro")
        folder.run("git checkout -q -")
    folder.run("dvc checkout -q")
    folder.edit("params.yaml", "2025-12-01", "2025-06-01")
    assert "Running stage 'training_set'" in folder.run("dvc repro")


def test_dvc_tracks_a_training_set_without_a_stage(folder: Folder) -> None:
    folder.run("fstore apply --yes")
    create = "fstore training-set create one --service churn --labels data/labels.parquet --out sets/one.parquet --dvc"
    told = folder.run(create)
    assert "sets/one.parquet.dvc" in told
    file = folder.path / "sets/one.parquet.dvc"
    written = file.read_bytes()
    (next_command,) = [line.removeprefix("Next: ") for line in told.splitlines() if line.startswith("Next: ")]
    folder.run(next_command)
    assert file.read_bytes() == written
    assert "/one.parquet" in (folder.path / "sets/.gitignore").read_text().splitlines()
    assert "Data and pipelines are up to date." in folder.run("dvc status sets/one.parquet.dvc")
    folder.run("dvc add -q sets/one.parquet")
    assert file.read_bytes() == written
    folder.commit("one")

    folder.run("rm sets/one.parquet && dvc checkout -q sets/one.parquet.dvc")
    assert "matches its lock" in folder.run("fstore training-set verify one")
    file.unlink()
    assert "exists already" in folder.run(create)
    assert file.read_bytes() == written

    file.write_bytes(written + b"desc: by hand\n")
    assert "sets/one.parquet.dvc is there already" in folder.run(create, status=5)
    assert file.read_bytes() == written + b"desc: by hand\n"
