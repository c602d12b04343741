"""The wheels, installed into a fresh environment without this source tree, do the quickstart.

Packed is the command that make has built for the tests, which runs on this machine only. The wheels of `make wheel`, whose command needs
a build of its own, have their tests among the neighbours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[1]

QUICKSTART = """
import json, subprocess
import fstore, fstore_bin

assert "site-packages" in fstore.__file__, fstore.__file__
assert fstore.__version__ == fstore_bin.__version__

repo = fstore.Repo.init("shop")
assert "customer_orders@1" in repo.plan().to_materialize
assert repo.apply(message="first").commit == 1
assert len(repo.materialize(to="2025-12-01")) == 10
ts = repo.training_set("churn_2025", service="churn", labels="shop/data/labels.parquet", label="reordered")
assert ts.to_arrow().num_rows == 736
assert ts.verify().ok
assert repo.training_set("churn_2025", service="churn", labels=ts.to_arrow().select(["customer_id", "event_timestamp", "reordered"]),
    label="reordered", replace=True).digest == ts.digest
keys = {"customer_id": [12003]}
alone = repo.online(service="churn", entities=keys).to_dict()
assert alone["order_value"] == [77.58], alone
with repo.serve() as client:
    assert client.online(service="churn", entities=keys).to_dict() == alone

show = [fstore_bin.path(), "--repo", "shop", "--output", "json", "training-set", "show", "churn_2025"]
assert json.loads(subprocess.run(show, check=True, capture_output=True).stdout)["rows"] == 736
print("done")
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory, binary: Path) -> Path:
    """A folder with the wheels of both distributions."""
    tree = tmp_path_factory.mktemp("tree")
    for part in ["src", "bin", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE"]:
        source = PYTHON / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tree / part)
    built = tree / "bin" / "build"
    shutil.rmtree(built, ignore_errors=True)
    built.mkdir()
    run(["strip", "-o", str(built / "fstore"), str(binary)])
    (built / "platform").write_text(sysconfig.get_platform().replace("-", "_").replace(".", "_"))
    shutil.copy(PYTHON / "LICENSE", built)
    (built / "THIRD_PARTY_LICENSES").touch()
    build = [sys.executable, "-m", "build", "-q", "--no-isolation", "--wheel", "--outdir", str(tree / "dist")]
    for project in [tree, tree / "bin"]:
        run([*build, str(project)], env={**os.environ, "FSTORE_VERSION": "0.0.1.dev1+test"})
    return tree / "dist"


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Returns what a command prints. Of the variables of fstore it sees only the version."""
    kept = {
        k: v for k, v in (env or os.environ).items() if k == "FSTORE_VERSION" or not k.startswith("FSTORE_")
    }
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def with_local(wheels: Path) -> str:
    """Returns what to install: the wheel of fstore-sdk, with the extra that brings fstore-bin."""
    (sdk,) = wheels.glob("fstore_sdk-*.whl")
    return f"fstore-sdk[local] @ {sdk.as_uri()}"


def check_environment(venv: Path, folder: Path) -> None:
    """Runs the quickstart with an environment's Python, and the command in both ways."""
    python = str(venv / "bin" / "python")
    assert run([python, "-c", QUICKSTART], cwd=folder) == "done\n"
    found = run([python, "-c", "import fstore_bin; print(fstore_bin.path())"], cwd=folder)
    assert found.strip() == str(venv / "bin" / "fstore")
    assert run([str(venv / "bin" / "fstore"), "version"]) == run(
        [python, "-m", "fstore_bin", "version"], cwd=folder
    )


def test_a_fresh_environment_does_the_quickstart(wheels: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(["uv", "venv", "-q", "--python", sys.executable, str(venv)])
    install = [
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        str(venv / "bin" / "python"),
        "--find-links",
        str(wheels),
    ]
    run([*install, "--constraint", str(PYTHON / "requirements-test.txt"), with_local(wheels)])
    check_environment(venv, tmp_path)
