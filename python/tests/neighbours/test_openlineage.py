"""Every event that fstore reports is one that OpenLineage's own client makes of the same content, and fits the specification."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from openlineage.client import event_v2, facet_v2, serde

FORMATS = jsonschema.FormatChecker()
FORMATS.checks("date-time", raises=(TypeError, ValueError))(lambda v: bool(datetime.fromisoformat(v)))
CLASSES = {
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
    "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """Gives the URL of a server, and the events that it gets."""
    events: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", events
        finally:
            server.shutdown()
            thread.join()


def facet(name: str, content: dict[str, Any]) -> Any:
    """A facet made by the client."""
    members = {k: v for k, v in content.items() if not k.startswith("_")}
    if name == "schema":
        fields = [facet_v2.schema_dataset.SchemaDatasetFacetFields(**f) for f in members["fields"]]
        made: Any = facet_v2.schema_dataset.SchemaDatasetFacet(fields=fields, producer=content["_producer"])
    elif name == "parent":
        run, job = facet_v2.parent_run.Run(**members["run"]), facet_v2.parent_run.Job(**members["job"])
        made = facet_v2.parent_run.ParentRunFacet(run=run, job=job, producer=content["_producer"])
    else:
        made = CLASSES[name](**members, producer=content["_producer"])
    ours, theirs = content["_schemaURL"], made._get_schema()
    assert (ours.split("/")[-1], ours.split("/")[5][0]) == (theirs.split("/")[-1], theirs.split("/")[5][0])
    return made


def facets(content: dict[str, Any]) -> dict[str, Any]:
    return {name: facet(name, c) for name, c in content.items()}


def again(e: dict[str, Any]) -> Any:
    """The event as the client makes and writes it, without the schemas' minor versions and what is empty."""
    event = event_v2.RunEvent(
        eventTime=e["eventTime"],
        eventType=event_v2.RunState[e["eventType"]],
        producer=e["producer"],
        run=event_v2.Run(runId=e["run"]["runId"], facets=facets(e["run"]["facets"])),
        job=event_v2.Job(e["job"]["namespace"], e["job"]["name"], facets(e["job"]["facets"])),
        inputs=[
            event_v2.InputDataset(d["namespace"], d["name"], facets=facets(d["facets"])) for d in e["inputs"]
        ],
        outputs=[
            event_v2.OutputDataset(
                d["namespace"],
                d["name"],
                facets=facets(d["facets"]),
                outputFacets=facets(d.get("outputFacets", {})),
            )
            for d in e["outputs"]
        ],
    )
    return json.loads(serde.Serde.to_json(event))


def plain(v: Any) -> Any:
    """A value without empty members and URLs of schemas."""
    if isinstance(v, dict):
        return {
            k: plain(x)
            for k, x in v.items()
            if x not in ({}, [], None) and k not in ("_schemaURL", "_deleted")
        }
    return [plain(x) for x in v] if isinstance(v, list) else v


@pytest.fixture(scope="module")
def events(binary: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What a server gets from commands that succeed and from one that fails."""
    repo = shutil.copytree(sample, tmp_path_factory.mktemp("lineage") / "shop")
    with listening() as (url, events):
        environment = {
            **os.environ,
            "OPENLINEAGE_URL": url,
            "OPENLINEAGE_NAMESPACE": "prod",
            "OPENLINEAGE_PARENT_ID": "airflow://host/dag.task/0198f0a2-1111-7222-8333-123456789abc",
        }
        create = "training-set create one --service churn --labels data/labels.parquet --out"
        for command, status in [
            ("apply --yes", 0),
            (f"{create} one.parquet", 0),
            (f"{create} two.parquet", 5),
            ("materialize --to 2025-12-02", 0),
        ]:
            done = subprocess.run(
                [binary, *command.split()],
                cwd=repo,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == status, done.stderr
            assert "OpenLineage" not in done.stderr
    assert {e["eventType"] for e in events} == {"START", "COMPLETE", "FAIL"}
    return events


def test_the_client_of_openlineage_makes_the_same_events(events: list[Any]) -> None:
    for e in events:
        assert plain(again(e)) == plain(e)


def test_every_event_fits_the_schemas_of_the_specification(events: list[Any], schemas: Schemas) -> None:
    names = {name for e in events for holder in holders(e) for name in holder}
    assert names == {"schema", "parent", *CLASSES}
    for e in events:
        assert list(schemas.problems(e)) == []


def test_the_schemas_refuse_what_is_wrong(events: list[Any], schemas: Schemas) -> None:
    e = next(e for e in events if e["eventType"] == "FAIL")
    for wrong in [
        {k: v for k, v in e.items() if k != "run"},
        e | {"eventType": "FAILED"},
        e | {"eventTime": "yesterday"},
        e | {"run": e["run"] | {"runId": "1"}},
    ]:
        assert list(schemas.problems(wrong)) != []
    for name in e["run"]["facets"]:
        facet = {k: v for k, v in e["run"]["facets"][name].items() if k.startswith("_")}
        assert list(schemas.problems(e | {"run": e["run"] | {"facets": {name: facet}}})) != []


def holders(e: Any) -> list[Any]:
    """The objects of an event that hold facets by name."""
    data = [d[k] for d in e["inputs"] + e["outputs"] for k in ("facets", "outputFacets") if k in d]
    return [part["facets"] for part in (e.get("run"), e["job"]) if part] + data


class Schemas:
    """The schemas of a clone of OpenLineage. No package of a registry has them, and they refer to each other by URL."""

    def __init__(self, spec: Path) -> None:
        files = [spec / "OpenLineage.json", *(spec / "facets").glob("*.json")]
        contents = {file.name: json.loads(file.read_text()) for file in files}
        self.urls = {name: content["$id"] for name, content in contents.items()}
        self.registry: Any = referencing.Registry().with_contents(
            (content["$id"], content) for content in contents.values()
        )

    def problems(self, e: Any) -> Iterator[str]:
        """Says what is wrong with an event and with each of its facets."""
        yield from self.of(e, e["schemaURL"])
        for holder in holders(e):
            for content in holder.values():
                yield from self.of(content, content["_schemaURL"])

    def of(self, content: Any, address: str) -> Iterator[str]:
        """Says what is wrong by the schema at a URL, or by the clone's later version of it with the same first number."""
        (version, name), pointer = address.split("#")[0].split("/")[-2:], address.split("#")[1]
        url = self.urls[name]
        assert url.split("/")[-2].split("-")[0] == version.split("-")[0]
        validator = jsonschema.Draft202012Validator(
            {"$ref": f"{url}#{pointer}"}, registry=self.registry, format_checker=FORMATS
        )
        for error in validator.iter_errors(content):
            yield f"{name} {error.json_path}: {error.message}"


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    if "OPENLINEAGE_SPEC" not in os.environ:
        pytest.skip("OPENLINEAGE_SPEC does not name the folder spec of a clone of OpenLineage")
    return Schemas(Path(os.environ["OPENLINEAGE_SPEC"]))
