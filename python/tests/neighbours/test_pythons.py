"""The package works with the oldest Python and the oldest libraries that it says it works with, and with the newest."""

import json
import subprocess
from pathlib import Path

import pytest
import pythons

PYTHON = Path(__file__).parents[2]

# Makes a training set and looks features up, reads both in every form, and prints the versions of the libraries.
WORK = """
import importlib.metadata, json, sys
import fstore

_, path, binary, address = sys.argv
repo = fstore.Repo(path, binary=binary)
ts = repo.training_set("churn", service="churn", labels=f"{path}/data/labels.parquet", label="reordered")
table = ts.to_arrow()
assert table.num_rows == 736
pandas, polars = ts.to_pandas(), ts.to_polars()
for name in ts.features:
    values = table[name].to_pylist()
    assert polars[name].to_list() == values, name
    assert [None if null else v for v, null in zip(pandas[name].tolist(), pandas[name].isna())] == values, name

with fstore.Client(address) as client:
    answer = client.online(service="churn", entities=pandas[["customer_id"]].head(3))
values = answer.to_arrow()["order_value"].to_pylist()
assert len(values) == 3
assert answer.to_pandas()["order_value"].tolist() == answer.to_dict()["order_value"] == values

print(json.dumps({name: importlib.metadata.version(name) for name in ("grpcio", "protobuf", "pyarrow", "pandas", "polars")}))
"""
OLDEST = {"grpcio": "1.49.1", "protobuf": "4.25.0", "pyarrow": "16.1.0", "pandas": "2.0.0", "polars": "1.3.0"}
CASES = [("3.10", "lowest-direct"), ("3.10", "highest"), ("3.12", "highest"), ("3.13", "highest")]


@pytest.mark.parametrize(("version", "resolution"), CASES)
def test_the_package_works_with(
    version: str, resolution: str, tmp_path: Path, repo: Path, binary: Path, server: str
) -> None:
    venv = tmp_path / "venv"
    interpreter = str(venv / "bin" / "python")
    subprocess.run(["uv", "venv", "-q", "--python", pythons.find(version), str(venv)], check=True)
    wanted = [f"{PYTHON}[pandas,polars]"]
    if resolution == "lowest-direct":
        wanted.append("numpy==1.26.*")  # pandas 2.0 does not say that it cannot do with numpy 2
    install = ["uv", "pip", "install", "-q", "--python", interpreter, "--resolution", resolution]
    subprocess.run([*install, *wanted], check=True)
    done = subprocess.run(
        [interpreter, "-c", WORK, str(repo), str(binary), server],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout) == OLDEST) == (resolution == "lowest-direct"), done.stdout
