"""A feature repo through the real command."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fstore
from fstore._command import RepoWarning, documents, find_binary
from fstore.server import PrivateAccess, Server
from tests.conftest import fstore as fstore_command


@pytest.fixture
def shop(repo: Path, binary: Path) -> fstore.Repo:
    return fstore.Repo(repo, binary=binary)


def edit(repo: fstore.Repo, file: str, old: str, new: str) -> None:
    path = repo.path / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_repo_from_nothing(tmp_path: Path, binary: Path) -> None:
    repo = fstore.Repo.init(tmp_path / "shop", binary=binary)
    assert repo.validate().warnings == []
    plan = repo.plan()
    assert not plan.empty
    assert "customer_orders@1" in plan.to_materialize
    assert "to add" in repr(plan)
    assert "<table>" in plan._repr_html_()
    applied = repo.apply("first")
    assert applied.commit == 1
    assert applied["commit"]["message"] == "first"
    assert repr(applied).startswith("Applied as commit 1: first.")
    assert repo.plan().empty
    assert repo.apply().commit is None
    done = repo.materialize(to="2025-12-01")
    assert {d["view"]["name"] for d in done} >= {"customer_orders", "shop"}
    assert [d["written"] for d in repo.materialize("customer_orders", to="2025-12-01")] == [0]
    assert {c["name"] for c in repo.doctor().checks if c["status"] == "failed"} == {
        "freshness"
    }  # data of last year
    fresh = repo.freshness()
    assert not fresh.ok
    states = {v["view"]["name"]: v["state"] for v in fresh.views}
    assert states["shop"] == "late"
    assert states["customer_orders"] == "no_schedule"
    assert "late" in repr(fresh)
    assert repo.query("select count(*) as n from customers").rows == [{"n": 435}]
    assert repo.query("select * from customers order by all", limit=3).more


def test_expectations_are_checked(shop: fstore.Repo) -> None:
    edit(shop, "customer.yaml", "expect: [{rows: {change: 50%}}]", "expect: [{rows: {max: 2, change: 50%}}]")
    shop.apply()
    found = shop.check("customer_orders", to="2025-12-01")
    assert not found.ok
    frame = pd.DataFrame(found.results)
    of_view = frame[frame["of"] == "customer_orders@1"]
    assert list(of_view["outcome"]) == ["passed", "passed", "failed", "skipped"]
    assert "source lines" in set(frame["of"])
    assert of_view["message"].iloc[2].endswith("more than 2")
    assert repr(found).startswith("1 expectation failed.")
    assert "<table>" in found._repr_html_()
    edit(shop, "customer.yaml", "max: 2, ", "")
    shop.apply()
    found = shop.check(to="2025-12-01")
    assert found.ok
    assert {r["outcome"] for r in found.results} == {"passed", "skipped"}
    assert repr(found).startswith("No expectation failed.")
    with pytest.raises(fstore.NotFound, match="there is no source or view named nowhere"):
        shop.check("nowhere")


def test_a_repo_from_files(repo: Path, tmp_path: Path, binary: Path) -> None:
    made = fstore.Repo.init(tmp_path / "new", data=repo / "data", binary=binary)
    assert not made.plan().empty


def test_a_folder_below_the_repo_stands_for_it(
    repo: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo / "data")
    assert fstore.Repo(binary=binary).path == repo.resolve()
    with pytest.raises(fstore.NotFound, match=r"no fstore\.yaml"):
        fstore.Repo("/", binary=binary)


def test_what_would_break_callers_is_refused_and_said(shop: fstore.Repo) -> None:
    edit(shop, "services.yaml", "as: last_large_order", "as: large")
    with pytest.raises(fstore.CheckFailed, match=r"output last_large_order .* is removed") as failure:
        shop.apply()
    assert failure.value.result.breaking
    assert any("apply(breaking=True)" in h for h in failure.value.hints)
    assert shop.plan().breaking == failure.value.result.breaking
    assert shop.apply("renamed", breaking=True).commit == 2


def test_a_result_that_looks_like_an_accident_is_accepted_by_its_digest(shop: fstore.Repo) -> None:
    edit(shop, "customer.yaml", "rows: {change: 50%}", "rows: {change: 100%}")
    shop.apply()
    shop.materialize("customer_orders", to="2025-12-01")
    lines = shop.path / "data" / "lines"
    for file in sorted(lines.rglob("*.parquet")):
        pq.write_table(pq.read_table(file, partitioning=None).slice(0, 1), file)
    with pytest.raises(fstore.CheckFailed, match=r"published keys would be deleted") as failure:
        shop.materialize("customer_orders", "shop", to="2025-12-02")
    refused = {row["view"]["name"]: row.get("refused") for row in failure.value.result}
    assert refused["shop"] is None
    digest = refused["customer_orders"]["accept"]
    assert f"--accept {digest}" in failure.value.hints[0]
    with pytest.raises(fstore.CheckFailed, match=r"--accept names another result") as failure:
        shop.materialize("customer_orders", to="2025-12-02", accept="0" * 32)
    assert len(failure.value.result) == 1
    (row,) = shop.materialize("customer_orders", to="2025-12-02", accept=digest)
    assert row["accepted"] == digest


def test_a_mistake_names_its_place(shop: fstore.Repo) -> None:
    edit(shop, "customer.yaml", "ttl: 180d", "ttl: 180x")
    for method in (shop.validate, shop.plan, shop.apply):
        with pytest.raises(fstore.DefinitionError, match=r"customer\.yaml:\d+:\d+: ") as failure:
            method()
        assert [p["position"]["file"] for p in failure.value.problems] == ["customer.yaml"]


def test_errors_by_kind(shop: fstore.Repo, tmp_path: Path, binary: Path) -> None:
    with pytest.raises(fstore.InvalidRequest, match="--to"):
        shop.materialize(to="tomorrow")
    with pytest.raises(fstore.NotFound, match="nobody"):
        shop.training_set("nobody")
    with pytest.raises(fstore.InvalidRequest, match="name one of a service, features and a model"):
        shop.training_set("x", labels="data/labels.parquet", service="churn", features="customer_orders.*")
    with pytest.raises(fstore.InvalidRequest, match="labels is missing"):
        shop.training_set("x", service="churn")
    fresh = fstore.Repo.init(tmp_path / "fresh", binary=binary)
    with pytest.raises(fstore.NotPublished) as failure:
        fresh.query("select 1 as one from lines")
    assert "fstore apply" in failure.value.hints[0]
    (shop.path / "fstore.yaml").write_text("project: [")
    with pytest.raises(fstore.DefinitionError, match=r"fstore\.yaml"):
        shop.plan()


def test_a_plan_has_the_warnings_of_the_definitions(shop: fstore.Repo) -> None:
    (shop.path / "sums.yaml").write_text(
        "kind: feature_view\nname: sums\nentities: [customer]\nevent_timestamp: invoice_date\ncreated_timestamp: loaded_at\n"
        "sql: sums.sql\nfeatures: [{name: spent, type: float64}]\n"
    )
    (shop.path / "sums.sql").write_text(
        "select customer_id, invoice_date, max(loaded_at) as loaded_at, sum(unit_price) as spent from lines\n"
        "where customer_id is not null group by customer_id, invoice_date\n"
    )
    plan = shop.plan()
    assert plan.warnings
    assert "warning: sums.sql:1:" in repr(plan)


def test_warnings_of_the_command_are_python_warnings(shop: fstore.Repo) -> None:
    midnight = {"customer_id": [12003], "event_timestamp": [datetime(2025, 11, 30)], "cart_value": [10.0]}
    with pytest.warns(RepoWarning, match="midnight"):
        shop.features(midnight, features=["checkout.hour"])


def test_the_binary_is_found(binary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FSTORE_BINARY", str(binary))
    assert find_binary() == str(binary)
    monkeypatch.setenv("FSTORE_BINARY", str(tmp_path / "none"))
    with pytest.raises(fstore.NotFound, match="FSTORE_BINARY"):
        find_binary()
    assert find_binary(binary) == str(binary)
    monkeypatch.delenv("FSTORE_BINARY")
    monkeypatch.setitem(sys.modules, "fstore_bin", None)
    (tmp_path / "fstore").symlink_to(binary)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == str(tmp_path / "fstore")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(fstore.NotFound) as failure:
        find_binary()
    assert failure.value.hints == ["pip install 'fstore-sdk[local]'"]


def test_documents_one_after_the_other() -> None:
    assert documents('{"a": 1}\n{"b": 2}\n') == [{"a": 1}, {"b": 2}]
    assert documents("") == []


def script(folder: Path, text: str) -> Path:
    """Returns a program that stands in for the command."""
    path = folder / "stand-in"
    path.write_text(f"#!{sys.executable}\nimport sys, time, signal, os\n{text}")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("stubborn", [False, True])
def test_an_interrupt_stops_the_command_and_passes_on(repo: Path, tmp_path: Path, stubborn: bool) -> None:
    binary = script(
        tmp_path,
        f"signal.signal(signal.SIGINT, lambda *_: (open({str(tmp_path / 'asked')!r}, 'w').close(), {stubborn} or sys.exit(1)))\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "while True: time.sleep(0.01)\n",
    )
    started = tmp_path / "pid"

    def interrupt() -> None:
        while not (started.exists() and started.read_text()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    import fstore._command as command

    patience, command._PATIENCE = command._PATIENCE, 0.3
    try:
        with pytest.raises(KeyboardInterrupt):
            fstore.Repo(repo, binary=binary).plan()
    finally:
        command._PATIENCE = patience
    assert (tmp_path / "asked").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_an_interrupted_training_set_leaves_nothing(repo: Path, binary: Path) -> None:
    code = (
        "import fstore, sys\n"
        f"repo = fstore.Repo({str(repo)!r}, binary={str(binary)!r})\n"
        "print('ready', flush=True)\n"
        "try:\n    repo.training_set('x', service='churn', labels=repo.path / 'data/labels.parquet')\n"
        "except KeyboardInterrupt:\n    sys.exit(77)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        folder = repo / "training_sets"
        while process.poll() is None and not (folder.exists() and list(folder.iterdir())):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait() in (0, 77)  # 0: it was faster than the signal
        if process.returncode == 77:
            assert fstore.Repo(repo, binary=binary).training_sets() == []
            assert list(folder.iterdir()) == []


def test_a_command_that_breaks_its_promises(repo: Path, tmp_path: Path) -> None:
    stand_in = fstore.Repo(
        repo, binary=script(tmp_path, 'sys.stdout.buffer.write(b\'{"changes": "\\xff"}\')')
    )
    with pytest.raises(UnicodeDecodeError):
        stand_in.plan()
    script(tmp_path, "print('all is lost', file=sys.stderr); sys.exit(9)")
    with pytest.raises(fstore.Error, match="status 9: all is lost"):
        stand_in.plan()
    script(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(fstore.Error, match="ended by signal 9"):
        stand_in.plan()
    script(tmp_path, "print('fstore: unknown flag: --progress', file=sys.stderr); sys.exit(2)")
    with pytest.raises(fstore.Error, match="older than this package"):
        stand_in.plan()


def test_too_much_output_is_refused(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fstore._command.MOST_OUTPUT", 1 << 20)
    binary = script(tmp_path, "while True: sys.stdout.write('[' * 65536)")
    with pytest.raises(fstore.TooLarge):
        fstore.Repo(repo, binary=binary).plan()


def test_a_server_of_the_repo(shop: fstore.Repo) -> None:
    server = shop.serve()
    with server as client:
        answer = client.online(service="churn", entities={"customer_id": [12003, 99999]})
        assert answer.to_dict()["order_value"][0] == 77.58
        assert server.address in repr(server)
        assert client.address == server.address
        assert isinstance(server, fstore.Server)
    assert "stopped" in repr(server)
    server.close()


def test_lookups_without_a_server(shop: fstore.Repo) -> None:
    answer = shop.online(service="churn", entities={"customer_id": [12003]})
    assert answer.to_dict()["country"] == ["Norway"]
    with pytest.raises(fstore.NotFound, match="nobody"):
        shop.online(service="nobody", entities={"customer_id": [12003]})


def test_a_query_gives_every_row_unless_a_limit_is_asked_for(shop: fstore.Repo) -> None:
    query = "select * from lines order by all"
    (counted,) = shop.query("select count(*) as n from lines").to_arrow().to_pylist()
    assert counted["n"] > 1000
    everything = shop.query(query)
    assert not everything.more
    assert len(everything.rows) == everything.to_arrow().num_rows == counted["n"]
    assert f"{counted['n'] - 10:,} more rows" in repr(everything)
    some = shop.query(query, limit=25)
    assert some.more
    assert len(some.rows) == 25
    assert repr(some).startswith("25 rows, and there are more")
    assert "15 more rows" in repr(some)
    assert not shop.query(query, limit=counted["n"]).more
    with pytest.raises(fstore.InvalidRequest, match="--limit 0"):
        shop.query(query, limit=0)


def test_rows_of_a_query_have_types(shop: fstore.Repo) -> None:
    rows = shop.query(
        "select 9007199254740993 as i, cast(null as bigint) as n, 0.5::double as f, 'nan'::double as nan, 'inf'::double as inf, "
        "true as b, 'é' as s, '\\xFF\\x00'::blob as raw, timestamp '2025-06-01 12:00:00.1' as at, cast(null as timestamp) as never, "
        "date '2025-06-01' as day, 1.50::decimal(9, 2) as money from (select count(*) from customers)"
    )
    table = rows.to_arrow()
    utc = timezone.utc
    row = table.to_pylist()[0]
    assert math.isnan(row.pop("nan"))
    assert row == {
        "i": 2**53 + 1,
        "n": None,
        "f": 0.5,
        "inf": math.inf,
        "b": True,
        "s": "é",
        "raw": b"\xff\x00",
        "at": datetime(2025, 6, 1, 12, 0, 0, 100_000, utc),
        "never": None,
        "day": datetime(2025, 6, 1, tzinfo=utc),
        "money": "1.50",
    }
    assert str(rows.to_pandas()["at"].dt.tz) == "UTC"
    assert pa.table(rows).schema == table.schema
    empty = shop.query("select customer_id, invoice_date from lines where false")
    assert empty.to_pandas().dtypes.astype(str).to_dict()["customer_id"] == "int64"
    assert empty.to_arrow().schema.field("invoice_date").type == pa.timestamp("us", "UTC")


def secured(repo: Path, tmp_path: Path, binary: Path) -> None:
    """Makes the settings of a repo ask callers for TLS with client certificates, and for a token or a JWT."""
    run = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]
    subprocess.run([*run, *files], check=True, capture_output=True)
    tokens = tmp_path / "tokens.yaml"
    create = ["token", "create", "somebody", "--tokens", str(tokens), "--grant", "online:read@shop"]
    fstore_command(binary, *create, repo=repo)
    file = {name: f"{tmp_path}/{name}" for name in ("tls.crt", "tls.key", "tokens.yaml")}
    jwt = "{issuer: 'https://issuer.test', audience: fstore, jwks: 'https://127.0.0.1:1/jwks'}"
    settings = repo / "fstore.yaml"
    text = settings.read_text()
    assert text.count("\nserve:\n") == 1
    settings.write_text(
        text.replace(
            "\nserve:\n",
            "\nserve:\n"
            f"  tls: {{certificate: {file['tls.crt']}, key: {file['tls.key']}, client_ca: {file['tls.crt']}}}\n"
            f"  auth: {{tokens: {file['tokens.yaml']}, jwt: {jwt}}}\n",
        )
    )


def test_lookups_without_a_server_need_no_credential_of_the_settings(
    repo: Path, tmp_path: Path, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secured(repo, tmp_path, binary)
    monkeypatch.setenv("FSTORE_TOKEN", "fst_" + "x" * 43)  # those of another server
    monkeypatch.setenv("FSTORE_TLS_CA", str(tmp_path / "tls.crt"))
    shop = fstore.Repo(repo, binary=binary)
    answer = shop.online(service="churn", entities={"customer_id": [12003]})
    assert answer.to_dict()["country"] == ["Norway"]
    with pytest.raises(fstore.InvalidRequest, match="client certificate"), shop.serve() as client:
        client.online(
            service="churn", entities={"customer_id": [12003]}
        )  # a caller, whom the settings are for


def test_lookups_without_a_server_do_not_read_the_keys_of_jwts(shop: fstore.Repo) -> None:
    jwt = "{issuer: 'https://issuer.test', audience: fstore, jwks: missing.json}"
    edit(shop, "fstore.yaml", "\nserve:\n", f"\nserve:\n  feast: true\n  auth: {{jwt: {jwt}}}\n")
    answer = shop.online(service="churn", entities={"customer_id": [12003]})
    assert answer.to_dict()["country"] == ["Norway"]
    with pytest.raises(fstore.Error, match=r"missing\.json"), shop.serve():
        pass  # which the settings hold for
    argv = shop._serve(None, replay=False)
    with Server(argv, PrivateAccess()) as client, pytest.raises(fstore.Error, match="UNIMPLEMENTED"):
        client._unary("/feast.serving.ServingService/GetFeastServingInfo", b"")


def test_a_server_that_does_not_start_leaves_no_token(shop: fstore.Repo) -> None:
    access = PrivateAccess()
    folder = Path(access._folder.name)
    with pytest.raises(OSError, match="nowhere"):
        Server(["/nowhere/fstore"], access)
    assert not folder.exists()


def test_a_client_that_cannot_be_closed_leaves_no_server(
    shop: fstore.Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = PrivateAccess()
    server = Server(shop._serve(None, replay=False), access)
    folder = Path(access._folder.name)
    assert folder.exists()
    client = server.client()

    def fails() -> None:
        raise RuntimeError("closing fails")

    monkeypatch.setattr(client, "close", fails)
    with pytest.raises(RuntimeError, match="closing fails"):
        server.close()
    assert server._process.poll() is not None
    assert not folder.exists()


def test_a_lookup_without_a_server_lets_nobody_else_in(shop: fstore.Repo) -> None:
    access = PrivateAccess()
    with Server(shop._serve(None, replay=False), access) as client:
        with fstore.Client(client.address) as stranger, pytest.raises(fstore.Unauthenticated):
            stranger.online(service="churn", entities={"customer_id": [12003]})
        other = fstore.Client(client.address, token="fst_" + "x" * 43)
        with other, pytest.raises(fstore.Unauthenticated):
            other.online(service="churn", entities={"customer_id": [12003]})
        folder = Path(access.variables["FSTORE_SERVE_AUTH_TOKENS"]).parent
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why(shop: fstore.Repo) -> None:
    with pytest.raises(fstore.InvalidRequest, match="--at"):
        shop.serve(at="yesterday")


def test_a_server_ends_with_the_process_that_started_it(repo: Path, binary: Path) -> None:
    code = (
        "import fstore, os, signal\n"
        f"server = fstore.Repo({str(repo)!r}, binary={str(binary)!r}).serve()\n"
        "print(server._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and Path(f"/proc/{pid}/stat").exists():
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_models(shop: fstore.Repo) -> None:
    ts = shop.training_set("churn_2025", service="churn", labels=shop.path / "data/labels.parquet")
    pinned = shop.pin_model("fraud", 1, training_set=ts)
    assert pinned["model"] == {"name": "fraud", "version": "1"}
    assert pinned.features == ts.features
    assert repr(pinned).startswith("Model fraud@1 keeps 9 features of training set churn_2025.\nfeature ")
    shop.pin_model("fraud", "2", service="recommend")
    shop.alias("fraud", "champion", 1)
    assert len(shop.models) == 2
    first, head, *rows = repr(shop.models).splitlines()
    assert (first, head.split()[:3]) == ("2 model versions", ["model", "aliases", "service"])
    assert [row.split()[0] for row in rows[:2]] == ["fraud@1", "fraud@2"]
    assert "{" not in repr(shop.models)
    shop.alias("fraud", "champion", None)
    with pytest.raises(fstore.Conflict):
        shop.pin_model("fraud", 1, service="recommend")
    with pytest.raises(fstore.InvalidRequest):
        shop.pin_model("fraud", 3)
