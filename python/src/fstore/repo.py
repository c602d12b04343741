"""A feature repo on this machine, through the fstore command; no server is needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fstore import display
from fstore import labels as _labels
from fstore._command import Command, Output, find_binary
from fstore.errors import CheckFailed, Conflict, InvalidRequest, NotFound
from fstore.instant import Instant, instant
from fstore.query import Rows
from fstore.results import Applied, Checks, Diagnosis, Drift, Features, Freshness, Pin, Plan, Table, Validated
from fstore.server import PrivateAccess, Server
from fstore.training import TrainingSet

if TYPE_CHECKING:
    from fstore.answer import Answer


_ALL_ROWS = (1 << 31) - 1
"""More rows than a command may print: see `fstore._command.MOST_OUTPUT`."""


class Repo:
    """A feature repo: the folder with fstore.yaml, or any folder below it.

    Every method runs the `fstore` command: `binary`, else $FSTORE_BINARY, else the one of fstore-bin, else the one on PATH.
    `project`, `registry` and `online` replace the settings of those names. `progress` is True, False, or None for bars on a
    terminal and in notebooks only; bars need tqdm.

    Paths are relative to the working directory, as in the command. Interrupting a method stops its command, which leaves
    nothing half done.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = ".",
        *,
        binary: str | os.PathLike[str] | None = None,
        registry: str | None = None,
        online: str | None = None,
        project: str | None = None,
        progress: bool | None = None,
    ) -> None:
        self.path = _root(Path(path))
        """The folder with fstore.yaml."""
        flags = ["--repo", os.fspath(self.path)]
        for flag, value in (("--registry", registry), ("--online", online), ("--project", project)):
            flags += [flag, value] if value else []
        self._command = Command(find_binary(binary), flags, progress)

    @classmethod
    def init(
        cls,
        path: str | os.PathLike[str],
        *,
        data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        binary: str | os.PathLike[str] | None = None,
    ) -> Repo:
        """Makes a new repo in a folder and returns it: an example with sample data, or one of your Parquet files.

        `data` is a file, a folder with everything below it, or a pattern; or several. Its definitions have `guessed`
        where fstore could not be sure.
        """
        paths = [] if data is None else [data] if isinstance(data, str | os.PathLike) else data
        args = [f"--from={os.fspath(p)}" for p in paths]
        Command(find_binary(binary)).run("init", os.fspath(path), *args)
        return cls(path, binary=binary)

    def __repr__(self) -> str:
        return f"Repo({os.fspath(self.path)!r})"

    def _run(self, *args: str) -> Output:
        return self._command.run(*args)

    def validate(self) -> Validated:
        """Checks the definitions. Raises `DefinitionError` with every mistake, its file, line and column."""
        return Validated(self._run("validate").result)

    def plan(self, *, check_leaks: int = 0) -> Plan:
        """Shows what `apply` would change; nothing is written.

        With `check_leaks=4`, new versions that have SQL are computed at 4 instants, and `CheckFailed` is raised if one
        sees the future.
        """
        return Plan(self._run("plan", *([f"--check-leaks={check_leaks}"] if check_leaks else [])).result)

    def apply(self, message: str | None = None, *, breaking: bool = False) -> Applied:
        """Registers the definitions. `message` is recorded as the reason.

        Raises `CheckFailed` if the plan would break callers of a serving service: its message says how, and its `result`
        is the `Plan`. `breaking=True` applies it anyway.
        """
        args = [
            "apply",
            "--yes",
            *(["--message", message] if message else []),
            *(["--breaking"] if breaking else []),
        ]
        try:
            return Applied(self._run(*args).result)
        except CheckFailed as e:
            plan = self.plan()
            if not plan.breaking:
                raise
            hints = [h.replace("run fstore apply --breaking", "apply(breaking=True)") for h in e.hints]
            failure = CheckFailed("\n  ".join(["the plan breaks callers:", *plan.breaking]), hints)
            failure.result = plan
            raise failure from None

    def materialize(
        self,
        *views: str,
        to: Instant | None = None,
        full: bool = False,
        rewind: bool = False,
        wait: str | None = None,
        accept: str | Sequence[str] | None = None,
    ) -> Table:
        """Updates the online store to an instant (now, unless `to` is given): all live views, or those named.

        Returns a list with a dict for each view: what was published, and how many keys were written and deleted. `full`
        writes everything to a new generation. `wait`, such as "10m", waits for another run of the same view.

        Raises `CheckFailed` if a view's result was refused: it would delete most of the published keys, or turn a feature
        to nulls. Its `result` has the row of every view, and `row["refused"]` the reasons. `accept=row["refused"]["accept"]`,
        with the same `to`, publishes exactly that result.
        """
        args = ["materialize", *views, *_option("--to", instant(to)), *_option("--wait", wait)]
        args += (["--full"] if full else []) + (["--rewind"] if rewind else [])
        args += [f"--accept={d}" for d in ([accept] if isinstance(accept, str) else accept or [])]
        columns = {
            "view": "view",
            "published": "published",
            "keys": "keys",
            "written": "written",
            "deleted": "deleted",
        }
        try:
            done = self._run(*args).documents
        except CheckFailed as e:
            e.result = e.result if isinstance(e.result, list) else [e.result]
            raise
        return Table(
            f"Materialized {display.count(len(done), 'view')}.", {**columns, "note": "skipped"}, done
        )

    def training_set(
        self,
        name: str,
        *,
        service: str | None = None,
        features: str | Sequence[str] | None = None,
        model: str | tuple[str, str | int] | None = None,
        labels: Any = None,
        timestamp: str | None = None,
        label: str | Sequence[str] | None = None,
        out: str | os.PathLike[str] | None = None,
        sample: int | None = None,
        sample_seed: int | None = None,
        as_of: Instant | None = None,
        snapshot: bool = False,
        replace: bool = False,
        dvc: bool = False,
        leak_check: int | str | None = None,
    ) -> TrainingSet:
        """Makes a training set, or returns the one that was made from the same inputs. Only a name opens one.

        Each row of `labels` gets the features as they were known at its instant. `labels` is a frame (pandas, polars,
        pyarrow, a DuckDB relation), the path of a Parquet or CSV file, or a query (select …) over sources and views. It has
        the key columns and an instant in `event_timestamp`, or in the column that `timestamp` names; an instant without a
        zone is UTC. The features are those of a `service`, or a list such as ["customer_orders.*", "shop.share=returns"], or
        those that a `model` is pinned to ("fraud@champion", "fraud/3").

        `label` names the column or columns that the model learns to predict. `sample` takes that many labels, always the
        same ones. `as_of` ignores rows that were created later. `snapshot` keeps a copy of every input. The file is
        `out`, or training_sets/NAME.parquet in the repo; frames are kept in training_sets/labels, by their SHA-256. `dvc`
        also writes the .dvc file by which DVC tracks it.

        Raises `Conflict` if NAME exists and was made from something else, and says what differs. `replace=True` then
        retires the old one.
        """
        if labels is None and service is None and features is None and model is None:
            return self._open(name)
        if labels is None:
            raise InvalidRequest(
                "labels is missing", ["pass a frame, the path of a Parquet or CSV file, or a query"]
            )
        folder = self.path / "training_sets"
        path = Path(out) if out is not None else folder / f"{name}.parquet"
        args = [
            *self._selection(service, features, model),
            *_labels.arguments(labels, folder / "labels"),
            *_option("--timestamp", timestamp),
        ]
        for column in [label] if isinstance(label, str) else label or ():
            args += ["--label", column]
        args += [
            *_option("--sample", sample),
            *_option("--sample-seed", sample_seed),
            *_option("--as-of", instant(as_of)),
        ]
        args += [
            *_option("--leak-check", leak_check),
            *(["--snapshot"] if snapshot else []),
            *(["--replace"] if replace else []),
            *(["--dvc"] if dvc else []),
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            made = self._run("training-set", "create", name, "--out", os.fspath(path), *args).result
        except Conflict as e:
            raise Conflict(
                e.message, [h.replace("pass --replace", "pass replace=True") for h in e.hints]
            ) from None
        existing = bool(made.get("existing"))
        return TrainingSet(
            self, Path(made["out"]), existing=existing, counts=None if existing else made["views"]
        )

    def _open(self, name: str) -> TrainingSet:
        return TrainingSet(self, Path(self._recorded(name)["out"]))

    def _recorded(self, name: str) -> dict[str, Any]:
        """Returns what the registry has of a training set. The name may come from elsewhere: it is never a flag."""
        return dict(self._run("training-set", "show", "--", name).result)

    def training_sets(self) -> Table:
        """Lists the training sets of the project, the newest first, with those that were replaced."""
        sets = self._run("training-set", "list").result
        columns = {"name": "name", "created": "created", "service": "service", "rows": "rows", "file": "out"}
        return Table(display.count(len(sets), "training set"), columns, sets)

    def features(
        self,
        labels: Any,
        *,
        service: str | None = None,
        features: str | Sequence[str] | None = None,
        model: str | tuple[str, str | int] | None = None,
        timestamp: str | None = None,
        as_of: Instant | None = None,
    ) -> Features:
        """Returns labels with their features as known at each row's instant, without a name, a lock or a record.

        This is for a quick look; the values are those that a training set would have. The rows are held in memory.
        Arguments are as in `training_set`.
        """
        with tempfile.TemporaryDirectory(prefix="fstore-") as temporary:
            folder = Path(temporary)
            out = folder / "features.parquet"
            args = [
                *self._selection(service, features, model),
                *_labels.arguments(labels, folder),
                *_option("--timestamp", timestamp),
            ]
            made = self._run(
                "training-set",
                "preview",
                "--out",
                os.fspath(out),
                *args,
                *_option("--as-of", instant(as_of)),
            ).result
            return Features.read(out, made["features"], _labels.has_types(labels))

    @staticmethod
    def _selection(
        service: str | None,
        features: str | Sequence[str] | None,
        model: str | tuple[str, str | int] | None,
    ) -> list[str]:
        if sum(given is not None for given in (service, features, model)) != 1:
            raise InvalidRequest("name one of a service, features and a model")
        if service is not None:
            return ["--service", service]
        if model is not None:
            from fstore._selection import model_of

            return ["--model", "@".join(model_of(model))]
        return ["--features", features if isinstance(features, str) else ",".join(features or ())]

    @property
    def models(self) -> Table:
        """The pinned models, with their versions and aliases."""
        models = self._run("model", "list").result
        shown = ("model", "aliases", "service", "training_set", "pinned", "author")
        columns = {n: n for n in shown if any(n in m for m in models)}
        return Table(display.count(len(models), "model version"), columns, models)

    def pin_model(
        self,
        name: str,
        version: str | int,
        *,
        training_set: TrainingSet | str | None = None,
        service: str | None = None,
    ) -> Pin:
        """Pins features to a version of a model: those of the training set that it learned from, or of a service.

        Raises `CheckFailed` if the registry has another training set under the name of `training_set`, such as one of a
        server or of another repo.
        """
        if (training_set is None) == (service is None):
            raise InvalidRequest("name either a training_set or a service")
        if training_set is not None:
            named = training_set if isinstance(training_set, str) else self._same(training_set)
            args = [f"--training-set={named}"]
        else:
            args = ["--service", str(service)]
        return Pin(self._run("model", "pin", name, str(version), *args).result)

    def _same(self, training_set: TrainingSet) -> str:
        """Returns the name of a training set. Raises `CheckFailed` unless the registry has its content under that name."""
        name, given = training_set.name, training_set.digest
        found = self._recorded(name)["lock"]["output"]["content"]
        if found != given:
            raise CheckFailed(
                f"training set {name} of {self.path} is not the one that was given: "
                f"its digest is {found[:32]}, and that of the one given is {given[:32]}",
                ["pin in the repo where it was made, or name the training set of this repo"],
            )
        return name

    def alias(self, name: str, alias: str, version: str | int | None) -> dict[str, Any]:
        """Lets an alias, such as champion, stand for a version of a model. With version=None the alias is removed."""
        args = ["--delete"] if version is None else [str(version)]
        return dict(self._run("model", "alias", name, alias, *args).result)

    def query(self, sql: str, *, limit: int | None = None) -> Rows:
        """Returns the rows of a query over sources and views, computed from the sources: all of them, or the first `limit`.

        They are held in memory. Raises `TooLarge` if there are more than 512 MB of them, as JSON.
        """
        most = _ALL_ROWS if limit is None else limit
        return Rows(self._run("query", "--sql", sql, "--limit", str(most)).result)

    def serve(self, *, at: Instant | None = None, replay: bool = False) -> Server:
        """Starts `fstore serve` on free ports of this machine. The block gets a `Client`:

            with repo.serve() as client:
                client.online(service="churn", entities={"customer_id": [12003]})

        `client.address` is where other programs reach it over gRPC. `server = repo.serve()` starts it without a block, and has
        all its addresses and its log; close it.

        `at` replays a past instant; a store other than the embedded one also needs `replay=True`. The settings of the repo
        hold: if they ask for tokens or TLS, start it with `server = repo.serve()` and use `server.client(token=…)`.
        """
        return Server(self._serve(at, replay))

    def _serve(self, at: Instant | None, replay: bool) -> list[str]:
        free = [x for name in ("grpc", "http", "metrics") for x in (f"--{name}", "127.0.0.1:0")]
        options = [*_option("--at", instant(at)), *(["--replay"] if replay else [])]
        return self._command.arguments("serve", *free, *options)

    def online(
        self,
        *,
        service: str | None = None,
        features: str | Sequence[str] | None = None,
        model: Any = None,
        entities: Any = None,
        event_timestamps: bool = False,
        at: Instant | None = None,
    ) -> Answer:
        """Looks up features in the online store, without a server: arguments and answer are those of `Client.online`.

        A server of this repo starts for the one call, so that the answer is the same in every detail; that takes about
        a tenth of a second. For many calls use `serve`. `at` is the instant that ages are judged at. Whoever can read the repo
        can read its store, so no token is needed, whatever the repo's settings ask of a server's callers. That server lets in
        nobody else.
        """
        with Server(self._serve(at, replay=False), PrivateAccess()) as client:
            return client.online(
                service=service,
                features=features,
                model=model,
                entities=entities,
                event_timestamps=event_timestamps,
            )

    def doctor(self) -> Diagnosis:
        """Checks the set-up. What needs repair is in the result, with the command to run; it is not an error."""
        return Diagnosis(self._judged("doctor"))

    def freshness(self) -> Freshness:
        """Says how fresh the online store is. A view that is late or not published is in the result; it is not an error."""
        return Freshness(self._judged("freshness"))

    def check(self, *names: str, to: Instant | None = None) -> Checks:
        """Checks what the definitions expect of their sources and views, or of those named, on the rows that `materialize` would
        publish now or at `to`. Nothing is published. A failed expectation is in the result; it is not an error.

        Raises the error of the first source or view that cannot be checked, such as `NotFound` for a missing file.
        """
        return Checks(self._judged("check", *names, *_option("--to", instant(to))))

    def drift(
        self,
        reference: str,
        current: str | os.PathLike[str],
        *,
        model: str | None = None,
        service: str | None = None,
        log: str | os.PathLike[str] | None = None,
        window: str | None = None,
        by: str | None = None,
    ) -> Drift:
        """Compares current values with those of a training set. See docs/drift.md.

        `reference` is a training set by its name or lock file. `current` is a file of rows, another training set, "store" for
        what is published, or "served" for what servers answered: `model` or `service` says to whom, and `log` is the log's
        folder. `window`, such as "7d", takes the last rows, and `by` also compares each "hour", "day", "week" or "month". What
        drifted is in the result; it is not an error.
        """
        options = {"--model": model, "--service": service, "--log": log, "--window": window, "--by": by}
        flags = [flag for name, value in options.items() for flag in _option(name, value)]
        return Drift(self._run("drift", f"--reference={reference}", f"--current={current}", *flags).result)

    def _judged(self, *args: str) -> dict[str, Any]:
        """Returns what a command found, also if that is its exit status."""
        try:
            return dict(self._run(*args).result)
        except CheckFailed as e:
            if e.result is None:
                raise
            return dict(e.result)


def _root(path: Path) -> Path:
    """Returns the nearest folder upward with fstore.yaml."""
    start = path.resolve()
    for folder in (start, *start.parents):
        if (folder / "fstore.yaml").is_file():
            return folder
    raise NotFound(
        f"{path} is not a feature repo: there is no fstore.yaml in it or above it", ["run fstore init"]
    )


def _option(flag: str, value: object) -> list[str]:
    return [] if value is None else [f"{flag}={value}"]
