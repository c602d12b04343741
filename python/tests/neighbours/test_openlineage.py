"""Every event that fstore reports is one that OpenLineage's own client makes of the same content."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openlineage.client import event_v2, facet_v2, serde

CLASSES = {
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
    "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}


@pytest.fixture
def reported() -> Iterator[tuple[str, list[Any]]]:
    """The URL of a server, and the events that it gets."""
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


def test_every_event(reported: tuple[str, list[Any]], repo: Path, binary: Path) -> None:
    url, events = reported
    environment = {
        **os.environ,
        "OPENLINEAGE_URL": url,
        "OPENLINEAGE_NAMESPACE": "prod",
        "OPENLINEAGE_PARENT_ID": "airflow://host/dag.task/0198f0a2-1111-7222-8333-123456789abc",
    }
    create = [
        "training-set",
        "create",
        "one",
        "--service",
        "churn",
        "--labels",
        "data/labels.parquet",
        "--out",
    ]
    for command, status in [
        (["apply", "--yes"], 0),
        ([*create, "one.parquet"], 0),
        ([*create, "two.parquet"], 5),
        (["materialize", "--to", "2025-12-01"], 0),
    ]:
        done = subprocess.run(
            [binary, *command], cwd=repo, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        assert "OpenLineage" not in done.stderr
    assert {e["eventType"] for e in events} == {"START", "COMPLETE", "FAIL"}
    for e in events:
        assert plain(again(e)) == plain(e)

    spec = os.environ.get("OPENLINEAGE_SPEC")  # the folder spec of a clone of OpenLineage, if there is one
    for e in events if spec else []:
        check(e, Path(str(spec)))


def check(e: Any, spec: Path) -> None:
    """Checks an event and each of its facets against the schemas of the specification."""
    base = json.loads((spec / "OpenLineage.json").read_text())
    jsonschema.Draft202012Validator(base).validate(e)
    holders = [e["run"]["facets"], e["job"]["facets"]]
    for d in e["inputs"] + e["outputs"]:
        holders += [d["facets"], d.get("outputFacets", {})]
    for content in [c for holder in holders for c in holder.values()]:
        name, pointer = (
            content["_schemaURL"].split("/")[6].split("#")[0],
            content["_schemaURL"].split("/")[-1],
        )
        schema = json.loads((spec / "facets" / name).read_text())
        for definition in schema["$defs"].values():  # the base facet is checked above
            definition["allOf"] = [a for a in definition.get("allOf", []) if "$ref" not in a]
        one = {"$ref": f"#/$defs/{pointer}", "$defs": schema["$defs"]}
        jsonschema.Draft202012Validator(one).validate(content)
