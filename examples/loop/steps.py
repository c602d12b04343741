"""The steps of the loop, in order. Each returns what it has proved, or raises `Failed`."""

import filecmp
import json
import shlex
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services import check, free_port, until, whole_lines

if TYPE_CHECKING:
    from loop import Loop

DRIFT = "FstoreDrift"  # the alert of deploy/prometheus
SUMMER, AUTUMN = "2025-09-01T00:00:00Z", "2025-10-01T00:00:00Z"


def raw_data(loop: "Loop") -> str:
    """Writes what the shop has sold in the summer, and puts it under DVC."""
    said = loop.script("data.py . summer")
    loop.run("git init -q && dvc init -q")
    loop.run(
        "dvc add -q data/orders data/customers data/labels && git add --all && git commit -qm 'The summer'"
    )
    return said.strip()


def training_set(loop: "Loop") -> str:
    """Registers the definitions and makes the training set, as a stage of DVC."""
    return reproduced(loop, "returns_1")


def reproduced(loop: "Loop", name: str) -> str:
    """Runs dvc repro twice: it makes the training set, and then finds it up to date. Its lock and DVC's agree."""
    loop.run("dvc repro")
    check(
        "Data and pipelines are up to date." in loop.run("dvc repro"),
        "dvc repro made the training set a second time",
    )
    out = json.loads((loop.shop / f"sets/{name}.lock.json").read_text())["output"]
    check(
        out["md5"] in (loop.shop / "dvc.lock").read_text(),
        f"dvc.lock has another file than the lock of {name}",
    )
    loop.run(f"git add --all && git commit -qm {name}")
    return f"{name}: {out['rows']:,} rows, MD5 {out['md5'][:8]} in dvc.lock and in the training set's lock"


def train(loop: "Loop") -> str:
    """Trains version 1. Its run in MLflow says which training set it learned from."""
    mlflow = loop.services.environment["MLFLOW_TRACKING_URI"]
    loop.services.ready("mlflow", f"{mlflow}/health")
    return trained(loop, "returns_1", "1")


def trained(loop: "Loop", name: str, version: str) -> str:
    """Trains and registers a version, and reads from MLflow what it learned from."""
    got = loop.script(f"train.py {name}").split()[-1]
    check(got == version, f"the version that was trained is {got}, not {version}")
    run_id = mlflow(loop, f"model-versions/get?name=returns&version={version}")["model_version"]["run_id"]
    run = mlflow(loop, f"runs/get?run_id={run_id}")["run"]
    (logged,) = (d["dataset"] for d in run["inputs"]["dataset_inputs"])
    digest = loop.repo.training_set(name).digest
    check(
        (logged["name"], logged["digest"]) == (name, digest[:32]),
        f"MLflow has {logged}, not {name} with digest {digest}",
    )
    return f"version {version} learned from {name}, digest {digest[:8]} in MLflow"


def mlflow(loop: "Loop", path: str) -> Any:
    """Asks MLflow's REST API."""
    with urllib.request.urlopen(
        f"{loop.services.environment['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{path}", timeout=60
    ) as answer:
        return json.load(answer)


def gate(loop: "Loop") -> str:
    """Lets version 1 through, pins its features, and makes it the champion."""
    verdict = judged(loop, "1", "returns_1", "2025-08", passes=True)
    loop.accuracy = verdict["accuracy"]
    return f"version 1 is right in {verdict['accuracy']:.1%} of {verdict['rows']:,} rows, and is the champion in MLflow"


def judged(loop: "Loop", version: str, name: str, month: str, *, passes: bool) -> dict[str, Any]:
    """Runs the gate, and checks what became of the alias in MLflow."""
    verdict = json.loads(
        loop.script(
            f"gate.py {version} --training-set {name} --labels data/labels/{month}.parquet",
            0 if passes else 4,
        )
    )
    champion = mlflow(loop, "registered-models/alias?name=returns&alias=champion")["model_version"]["version"]
    check(
        (champion == version) == passes,
        f"the champion is version {champion} after the gate judged version {version}: {verdict}",
    )
    pinned = [m for m in loop.repo.models if m["model"]["version"] == version]
    check(len(pinned) == (1 if passes else 0), f"version {version} has {len(pinned)} pins")
    return dict(verdict)


def materialize(loop: "Loop") -> str:
    """Publishes the features as of the end of the summer, and compares the store with the engine, key by key."""
    loop.run(f"fstore materialize --to {SUMMER}")
    loop.run("fstore model sync returns")
    return verified(loop, "1")


def verified(loop: "Loop", version: str) -> str:
    """Compares all keys of a version with the offline result."""
    views = json.loads(loop.run(f"fstore verify --model returns@{version} --output json"))["views"]
    return f"{sum(v['checked'] for v in views):,} keys in Redis are what the engine computes"


def serve(loop: "Loop") -> str:
    """Starts fstore serve with its log, FastAPI and the load, and waits until the first version has answered."""
    server = loop.repo.serve()
    loop.stack.callback(server.close)
    port = free_port()
    loop.app = f"http://127.0.0.1:{port}"
    loop.services.environment["FEATURES"] = server.address
    uvicorn = [
        "uvicorn",
        "serve:app",
        "--app-dir",
        str(Path(__file__).parent),
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    loop.services.start("app", uvicorn, loop.shop)
    loop.services.ready("app", f"{loop.app}/openapi.json")
    under_load(loop, "uk", "uk")
    return f"{ask(loop)['model']} answers by its alias"


def under_load(loop: "Loop", name: str, country: str, query: str = "") -> None:
    """Lets customers of a country ask from now on, and waits until they have got some answers."""
    command = ["python", str(Path(__file__).with_name("load.py")), f"{loop.app}/predict{query}"]
    command += [f"data/customers/{country}.parquet", str(loop.answers(name))]
    loop.loads.append(name)
    loop.services.start(f"load-{name}", command, loop.shop)
    until(lambda: len(lines(loop, name)) > 60, f"the load {name} got fewer than 60 answers")


def lines(loop: "Loop", name: str) -> list[dict[str, Any]]:
    """Returns the answers that a load has by now."""
    return [json.loads(x) for x in whole_lines(loop.answers(name))]


def ask(loop: "Loop", model: str = "returns@champion") -> Any:
    """Asks for one customer."""
    request = urllib.request.Request(
        f"{loop.app}/predict?model={model}", b'{"customer_id": [12]}', {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def quiet(loop: "Loop") -> str:
    """Monitors version 1: what is published and what is served is what it has learned from, and nobody is told anything."""
    loop.prometheus.ready(loop.services)
    loop.run("fstore drift --reference returns_1 --current served --fail-on 0.3")
    monitor(loop, status=0)
    about = 'fstore_monitor_firing{event="drift",model="returns",version="1"}'
    until(lambda: loop.prometheus.value(about) == "0", f"Prometheus does not get {about}")
    seen = time.time()
    until(lambda: loop.prometheus.evaluated(DRIFT) > seen + 2, f"Prometheus does not evaluate {DRIFT}")
    check(DRIFT not in loop.prometheus.alerts(), "Prometheus has an alert, and nothing has drifted")
    check(loop.webhook.messages == [], f"nothing has drifted, and a webhook came: {loop.webhook.messages}")
    return "nothing has drifted, and nobody was told anything"


def monitor(loop: "Loop", status: int) -> None:
    """Looks at the model once, and pushes what it finds to Prometheus. Status 4 says that something is wrong."""
    loop.run(f"fstore monitor returns --pushgateway {loop.prometheus.pushgateway}", status)


def shift(loop: "Loop") -> str:
    """The shop opens in Japan: its prices are in yen. They are published and asked for like any others."""
    loop.script("data.py . september")
    loop.run("dvc add -q data/orders data/customers data/labels && git add --all && git commit -qm September")
    began = time.time()
    loop.run(f"fstore materialize --to {AUTUMN}")
    loop.runs.append((AUTUMN, began, time.time() + 2))  # servers follow within a second
    loop.shifted = time.time()
    under_load(loop, "jp", "jp")
    return verified(loop, "1")


def alert(loop: "Loop") -> str:
    """Monitors version 1 again: its features have drifted. A rule of Prometheus fires, and one signed webhook comes."""
    monitor(loop, status=4)
    window = int(time.time() - loop.shifted)  # in which Japan has asked: more than 60 answers, of five rows each
    loop.run(
        f"fstore drift --reference returns_1 --current served --window {window}s --html drift.html --fail-on 0.3",
        4,
    )
    until(lambda: DRIFT in loop.prometheus.alerts(), f"{DRIFT} does not fire in Prometheus")
    labels = loop.prometheus.alerts()[DRIFT]
    model = f"{labels['model']}@{labels['version']}"
    check(model == "returns@1", f"the alert is about {model}")
    told(loop, ["drift.firing"])
    monitor(loop, status=4)
    told(loop, ["drift.firing"])  # once for each change
    return f"{DRIFT} fires in Prometheus; one webhook: {loop.webhook.messages[0]['data']['summary']}"


def told(loop: "Loop", expected: list[str]) -> None:
    """Checks what has come by webhook. A command has sent its messages when it ends."""
    came = [m["type"] for m in loop.webhook.messages]
    check(came == expected, f"these webhooks came: {loop.webhook.messages}")
    about = [m["data"]["subject"] for m in loop.webhook.messages]
    check(
        all(s == {"kind": "model", "name": "returns", "version": "1"} for s in about),
        f"they are about {about}",
    )


def training_set_again(loop: "Loop") -> str:
    """Makes a training set of September."""
    loop.script("window.py returns_2 2025-09 2025-10-01")
    return reproduced(loop, "returns_2")


def train_again(loop: "Loop") -> str:
    """Trains on September. Before, somebody trains on the old training set by mistake."""
    return f"{trained(loop, 'returns_1', '2')}; {trained(loop, 'returns_2', '3')}"


def gate_again(loop: "Loop") -> str:
    """Refuses the version that learned from the summer, lets the one through that learned from September."""
    bad = judged(loop, "2", "returns_1", "2025-09", passes=False)
    good = judged(loop, "3", "returns_2", "2025-09", passes=True)
    old, new = good["champion"], good["accuracy"]
    check(old < loop.accuracy - 0.15, f"version 1 is as good in September: {old:.1%}")
    check(
        new > loop.accuracy - 0.02,
        f"version 3 is not as good as version 1 was: {new:.1%}, and {loop.accuracy:.1%} in the summer",
    )
    return f"version 1 is down to {old:.1%}; version 2 with {bad['accuracy']:.1%} is refused; version 3 has {new:.1%}"


def materialize_again(loop: "Loop") -> str:
    """Publishes what the new version needs. Its features are those of version 1, so there is nothing to write."""
    loop.run(f"fstore materialize --to {AUTUMN}")
    return verified(loop, "3")


def move(loop: "Loop") -> str:
    """Moves the alias under load, and waits until all answers come from the new version."""
    check(ask(loop, "returns@3")["model"] == "returns@3", "version 3 does not answer")
    loop.run("fstore model sync returns")
    moved = len(lines(loop, "uk"))

    def followed() -> bool:
        late = lines(loop, "uk")[moved:]
        return len(late) > 60 and all(
            a["status"] == 200 and a["answer"]["model"] == "returns@3" for a in late[-30:]
        )

    until(followed, "the answers do not come from version 3")
    under_load(loop, "pinned", "jp", "?model=returns@1")
    return "the alias stands for returns@3; returns@1 answers by its number"


def every_answer(loop: "Loop") -> str:
    """Ends the load. No request failed, and every score is what its version gives offline, to the last bit."""
    loop.services.stop(*(f"load-{name}" for name in loop.loads), patience=90)  # requests in flight get their answers
    runs = "".join(f" --run {at},{begin},{end}" for at, begin, end in loop.runs)
    files = shlex.join(str(loop.answers(name)) for name in loop.loads)
    got = json.loads(loop.script(f"oracle.py{runs} {files}").splitlines()[-1])
    loop.right, scores = got["right"], sum(got["right"].values())
    check(
        got["bad"] == 0,
        f"{got['bad']} of {got['requests']} answers are wrong or failed, such as {got['first'][:1]}",
    )
    check(set(loop.right) == {"returns@1", "returns@3"}, f"answers came from {loop.right}")
    check(
        {a["answer"]["model"] for a in lines(loop, "pinned")} == {"returns@1"},
        "not all who asked for version 1 got it",
    )
    check(got["apart"] > 0.9 * scores, f"only {got['apart']} of {scores} scores tell which version gave them")
    return f"{got['requests']:,} requests, none failed; {scores:,} scores as offline; p99 {got['p99'] * 1000:.0f} ms"


def skew(loop: "Loop") -> str:
    """Compares every value in the served log with the engine. The log has every row that was answered."""
    equal = 0
    for model, answered in loop.right.items():
        found = json.loads(loop.run(f"fstore skew --model {model} --sample 0 --output json"))
        check(
            found["compared"] >= answered, f"the log has {found['compared']} rows of {model}, not {answered}"
        )
        values = found["values"]
        check(values["equal"] > 0 and values["equal"] == sum(values.values()), f"skew of {model}: {values}")
        equal += values["equal"]
    return f"{equal:,} logged values are what the engine computes"


def retire(loop: "Loop") -> str:
    """Lets version 1 go. What is published is what version 3 has learned from: the alert is over, and that is told as well."""
    loop.run("fstore model unpin returns 1")
    monitor(loop, status=0)
    told(loop, ["drift.firing", "drift.resolved"])
    until(lambda: DRIFT not in loop.prometheus.alerts(), f"{DRIFT} still fires in Prometheus")
    return "version 3 has not drifted; the alert is over in Prometheus, and by webhook"


def rebuild(loop: "Loop") -> str:
    """Makes both training sets again from their locks: the same bytes."""
    for name in ("returns_1", "returns_2"):
        loop.run(f"fstore training-set rebuild {name} --out again/{name}.parquet")
        same = filecmp.cmp(
            loop.shop / f"sets/{name}.parquet", loop.shop / f"again/{name}.parquet", shallow=False
        )
        check(same, f"{name} was rebuilt to other bytes")
    return "returns_1 and returns_2: the same bytes"


ROUND: list[Callable[["Loop"], str]] = [
    alert, training_set_again, train_again, gate_again, materialize_again, move, every_answer, skew, rebuild,
]  # fmt: skip
"""From an alert to the next model. The workflow in examples/github and the DAG in examples/orchestration do the same, but for the load."""

ALL = [raw_data, training_set, train, gate, materialize, serve, quiet, shift, *ROUND, retire]
