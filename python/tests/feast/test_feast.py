"""Feast's SDK and clients of its wire ask fstore, and get what Feast itself answers."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import credit
import feast
import grpc
import pandas as pd
import pytest
from feast.protos.feast.serving import ServingService_pb2 as serving_pb2
from feast.protos.feast.serving import ServingService_pb2_grpc as serving_grpc
from feast.protos.feast.types import Value_pb2 as value_pb2
from moves import Moved, moved, run

from tests.conftest import ROOT, fstore

DRIVERS = [1001, 1002, 1003, 1004, 1005]
HOURLY = [f"driver_hourly_stats:{f}" for f in ("conv_rate", "acc_rate", "avg_daily_trips")]
CREDIT = [
    "zipcode_features:city",
    "zipcode_features:population",
    "zipcode_features:mean_income",
    "credit_history:card_due",
    "credit_history:missed_payments",
    "credit_history:bankrupt",
]


@pytest.fixture(scope="session")
def instant() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0) - timedelta(seconds=1)


@pytest.fixture(scope="session")
def quickstart(binary: Path, instant: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """The repo that `feast init` writes, with its sample data."""
    folder = tmp_path_factory.mktemp("quickstart")
    run(str(Path(sys.executable).parent / "feast"), "init", "demo", where=folder)
    with moved(binary, folder / "demo/feature_repo", instant) as both:
        yield both


@pytest.fixture(scope="session")
def scoring(binary: Path, instant: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("credit") / "feature_repo"
    credit.write(folder, instant)
    with moved(binary, folder, instant) as both:
        yield both


def test_the_sdk_reads_from_fstore_what_feast_serves(quickstart: Moved) -> None:
    for full in (False, True):
        rows = [{"driver_id": d} for d in [*DRIVERS, 1001, 4]]  # 4 is nobody
        own = quickstart.feast.get_online_features(HOURLY, rows, full_feature_names=full).to_dict()
        got = quickstart.remote.get_online_features(HOURLY, rows, full_feature_names=full).to_dict()
        assert got == own
        name = "driver_hourly_stats__conv_rate" if full else "conv_rate"
        assert isinstance(got[name][0], float)
        assert got[name][-1] is None


def test_a_service_of_two_entities(scoring: Moved) -> None:
    rows = [{"dob_ssn": p, "zipcode": credit.ZIPS[i % len(credit.ZIPS)]} for i, p in enumerate(credit.PEOPLE)]
    rows.append({"dob_ssn": "nobody", "zipcode": 1})
    own = scoring.feast.get_online_features(CREDIT, rows).to_dict()
    assert scoring.remote.get_online_features(CREDIT, rows).to_dict() == own
    assert own["card_due"][0] is not None
    by_service = scoring.remote.get_online_features(
        scoring.remote.get_feature_service("scoring"), rows
    ).to_dict()
    want = scoring.feast.get_online_features(scoring.feast.get_feature_service("scoring"), rows).to_dict()
    # JSON has instants as seconds, without a type: Feast's own server and SDK lose it, too.
    want["first_loan"] = [None if at is None else int(at.timestamp()) for at in want["first_loan"]]
    assert by_service == want


@pytest.mark.parametrize("example", ["quickstart", "scoring"])
def test_training_sets_are_those_of_feast(
    example: str, binary: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    both: Moved = request.getfixturevalue(example)
    keys: list[dict[str, Any]]
    if example == "quickstart":
        refs = HOURLY
        keys = [{"driver_id": DRIVERS[i % 5]} for i in range(40)]
    else:
        refs = [*CREDIT, "credit_history:first_loan"]
        keys = [
            {"dob_ssn": credit.PEOPLE[i % 20], "zipcode": credit.ZIPS[i % 10] if i % 7 else 1}
            for i in range(40)
        ]
    # From now back beyond the oldest row, and between rows.
    step = timedelta(hours=11.25) if example == "quickstart" else timedelta(days=3)
    labels = pd.DataFrame(
        [{**k, "event_timestamp": pd.Timestamp(both.to - step * i)} for i, k in enumerate(keys)]
    )
    labels["label"] = range(len(labels))
    labels.to_parquet(tmp_path / "labels.parquet")
    own = both.feast.get_historical_features(labels, refs).to_df()
    named = ",".join(r.replace(":", ".") for r in refs)
    command = ["training-set", "create", "t_" + example, "--features", named, "--leak-check=off"]
    command += ["--labels", str(tmp_path / "labels.parquet"), "--out", str(tmp_path / "out.parquet")]
    fstore(binary, *command, repo=both.repo)
    got = pd.read_parquet(tmp_path / "out.parquet").set_index("label")
    own = own.set_index("label")
    assert len(got) == len(labels)
    views: dict[str, list[str]] = {}
    for ref in refs:
        view, name = ref.split(":")
        views.setdefault(view, []).append(name)
        for label in own.index:
            assert _plain(got.loc[label, name]) == _plain(own.loc[label, name]), (name, label)
        assert own[name].notna().any(), name
    # Feast drops a label if a view has only values that are too old for it; fstore keeps it, without those values.
    for label in got.index.difference(own.index):
        assert any(got.loc[label, names].isna().all() for names in views.values()), label
    assert got.isna().any().any(), "no label is without values"


def _plain(value: Any) -> Any:
    """Returns a value without what only its column's type says: a null is None, and every instant is UTC."""
    if pd.isna(value):
        return None
    return value.tz_localize(None) if isinstance(value, pd.Timestamp) else value


def test_what_init_says_it_could_not_carry_over(quickstart: Moved, scoring: Moved) -> None:
    for note in (
        "on-demand feature view transformed_conv_rate: Python is not carried over",
        "FeatureView driver_hourly_stats_fresh: what a PushSource writes is not carried over",
        "feature driver_hourly_stats:driver_metadata: fstore has no type for Feast's MAP",
        "service driver_activity_v2: the features of transformed_conv_rate are left out",
    ):
        assert note in quickstart.said
    assert "2 entities, 2 sources, 2 views and 1 service" in scoring.said


def _wire_of_fstore(folder: Path) -> tuple[Any, Any, Any]:
    """Generates a client from fstore's own copy of the protos, in another package, since one process knows a name once."""
    for name in ("serving/ServingService", "types/Value"):
        text = (ROOT / f"proto/feast/{name}.proto").read_text()
        target = folder / f"own/{name}.proto"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace('"feast/', '"own/'))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}"]
    command += [f"--grpc_python_out={folder}", "own/serving/ServingService.proto", "own/types/Value.proto"]
    subprocess.run(command, check=True, cwd=folder)
    return folder, "own.serving.ServingService_pb2", "own.types.Value_pb2"


ASK = """
import json, sys
import grpc
from own.serving import ServingService_pb2 as s, ServingService_pb2_grpc as g
from own.types import Value_pb2 as v
with grpc.insecure_channel(sys.argv[1]) as channel:
    r = s.GetOnlineFeaturesRequest(features=s.FeatureList(val=json.loads(sys.argv[2])), full_feature_names=True)
    r.entities["driver_id"].val.extend(v.Value(int64_val=d) for d in (1001, 4))
    print(g.ServingServiceStub(channel).GetOnlineFeatures(r).SerializeToString().hex())
"""


def test_clients_generated_from_the_wire(quickstart: Moved, tmp_path: Path) -> None:
    request = serving_pb2.GetOnlineFeaturesRequest(
        features=serving_pb2.FeatureList(val=HOURLY), full_feature_names=True
    )
    request.entities["driver_id"].val.extend(value_pb2.Value(int64_val=d) for d in (1001, 4))
    with grpc.insecure_channel(quickstart.grpc) as channel:
        stub = serving_grpc.ServingServiceStub(channel)
        info = stub.GetFeastServingInfo(serving_pb2.GetFeastServingInfoRequest())
        answer = stub.GetOnlineFeatures(request)
    assert info.version.startswith("fstore ")
    own = quickstart.feast.get_online_features(
        HOURLY, [{"driver_id": 1001}], full_feature_names=True
    ).to_dict()
    assert list(answer.metadata.feature_names.val) == [
        "driver_id",
        *(r.replace(":", "__") for r in HOURLY),
    ]
    for name, vector in zip(answer.metadata.feature_names.val, answer.results, strict=True):
        value = vector.values[0]
        assert getattr(value, value.WhichOneof("val")) == own[name][0]
        statuses = [serving_pb2.FieldStatus.Name(s) for s in vector.statuses]
        assert statuses == ["PRESENT", "PRESENT" if name == "driver_id" else "NOT_FOUND"]
        assert len(vector.event_timestamps) == 2
        assert vector.event_timestamps[1].seconds == 0
    folder, *_ = _wire_of_fstore(tmp_path)
    command = [sys.executable, "-c", ASK, quickstart.grpc, json.dumps(HOURLY)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert serving_pb2.GetOnlineFeaturesResponse.FromString(bytes.fromhex(done.stdout)) == answer


def test_fstores_protos_are_feasts(tmp_path: Path) -> None:
    """Every message and field of fstore's copy has Feast's name, number and type."""
    from google.protobuf import descriptor_pb2

    out = tmp_path / "set"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}/proto", f"--descriptor_set_out={out}"]
    command += ["feast/serving/ServingService.proto", "feast/types/Value.proto"]
    subprocess.run(command, check=True)
    own = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    theirs = {}
    for module in (serving_pb2, value_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        theirs[file.name] = file
    compared = 0

    def compare(a: Any, b: Any) -> int:
        n = 0
        messages = {m.name: m for m in (b.message_type if hasattr(b, "message_type") else b.nested_type)}
        for m in a.message_type if hasattr(a, "message_type") else a.nested_type:
            fields = {f.name: f for f in messages[m.name].field}
            for f in m.field:
                want = fields[f.name]
                assert (f.number, f.type, f.label, f.type_name) == (
                    want.number,
                    want.type,
                    want.label,
                    want.type_name,
                ), f"{m.name}.{f.name}"
                n += 1
            n += compare(m, messages[m.name])
        enums = {e.name: e for e in b.enum_type}
        for e in a.enum_type:
            values = {v.name: v.number for v in enums[e.name].value}
            assert {v.name: v.number for v in e.value} == values
        return n

    for file in own.file:
        assert file.package == theirs[file.name].package
        compared += compare(file, theirs[file.name])
    methods = {
        s.name: {m.name: (m.input_type, m.output_type) for m in s.method} for s in own.file[-1].service
    }
    want = {
        s.name: {m.name: (m.input_type, m.output_type) for m in s.method}
        for s in theirs["feast/serving/ServingService.proto"].service
    }
    assert methods == want
    assert compared > 40


def test_errors_reach_users_of_the_sdk(quickstart: Moved) -> None:
    with pytest.raises(RuntimeError, match=r"400.*key column driver_id is missing"):
        quickstart.remote.get_online_features(HOURLY, [{}, {}])
    assert feast.__version__.startswith("0.67.")
    request = urllib.request.Request(
        f"http://{quickstart.http}/get-online-features",
        b'{"features": ["nothing:here"], "entities": {"driver_id": [1001]}}',
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 404
