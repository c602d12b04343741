"""The loop once round: data, training, deployment, monitoring, retraining. make loop runs it.

    python loop.py FOLDER

Each step prints what it has proved. If that does not hold, the step says so and where to look, and the exit status is 1. FOLDER is
made anew, if the loop has made it. It keeps everything: the feature repo, the MLflow server's files, the served log, what every program
printed.
"""

import os
import shlex
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import steps
from services import Failed, Services, check, free_port
from watch import Prometheus, Receiver

import fstore

HERE = Path(__file__).parent
MADE = ".made-by-loop"  # the file by which the loop knows a folder of its own


class Loop:
    """What the steps share: the feature repo, the programs beside it, and what earlier steps have found."""

    def __init__(self, folder: Path, services: Services, stack: ExitStack) -> None:
        self.folder, self.services, self.stack = folder, services, stack
        self.shop = folder / "shop"
        self.repo: fstore.Repo
        self.prometheus: Prometheus
        self.webhook = stack.enter_context(Receiver())
        self.app: str
        """Where the model answers HTTP."""
        self.runs: list[tuple[str, float, float]] = []
        """Runs of materialize under load: instant, begin, end."""
        self.shifted: float
        """When Japan began to ask."""
        self.loads: list[str] = []
        """Who asks for predictions."""
        self.right: dict[str, int] = {}
        """Rows that each version has answered."""
        self.accuracy: float
        """Of version 1 in the summer."""

    def answers(self, load: str) -> Path:
        """Returns the file of what a load got."""
        return self.folder / f"answers-{load}.jsonl"

    def run(self, command: str, status: int = 0) -> str:
        """Runs a command in the feature repo, as a person would type it."""
        return self.services.run(command, self.shop, status)

    def script(self, command: str, status: int = 0) -> str:
        """Runs one of the scripts of this folder in the feature repo."""
        return self.run(f"python {shlex.quote(str(HERE))}/{command}", status)


def fresh(folder: Path) -> None:
    """Makes a folder, in place of one that an earlier loop has made. It deletes no other."""
    if folder.exists():
        check(
            (folder / MADE).exists() or not any(folder.iterdir()),
            f"{folder} is not of the loop: it has no file {MADE}. Delete it yourself, or name another",
        )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MADE).touch()


def environment(folder: Path) -> dict[str, str]:
    """Returns the variables of every program of the loop. None may lead it to a registry, store or MLflow server of yours."""
    for name in list(os.environ):
        if name.startswith(("FSTORE_", "MLFLOW_")) and name != "FSTORE_BINARY":
            del os.environ[name]
    commands = folder / "bin"
    commands.mkdir()
    (commands / "fstore").symlink_to(Path(os.environ["FSTORE_BINARY"]).resolve())
    ada = {
        f"GIT_{who}_{what}": to
        for who in ("AUTHOR", "COMMITTER")
        for what, to in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
    }
    return {
        **os.environ,
        **ada,
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # no workers that nothing here needs
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "OMP_NUM_THREADS": "1",  # a prediction for five rows needs no more
    }


def bring_up(loop: Loop) -> str:
    """Starts Redis, MLflow and Prometheus. Each is waited for when it is needed."""
    redis, mlflow = free_port(), free_port()
    start, variables = loop.services.start, loop.services.environment
    start(
        "redis",
        ["redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        loop.folder,
    )
    server = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow), "--workers", "1"]
    stores = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]
    start("mlflow", [*server, *stores], loop.folder)
    variables |= {"WEBHOOK": loop.webhook.url, "WEBHOOK_SECRET": loop.webhook.secret}
    variables["REDIS"] = f"redis://127.0.0.1:{redis}/0"
    variables["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{mlflow}"
    os.environ.update(variables)
    loop.prometheus = Prometheus(loop.services, loop.folder / "prometheus")
    shutil.copytree(HERE / "repo", loop.shop)
    loop.repo = fstore.Repo(loop.shop)
    return f"Redis on port {redis}, MLflow on port {mlflow}, Prometheus at {loop.prometheus.url}"


def once_round(folder: Path) -> bool:
    """Runs every step. Tells whether all hold."""
    fresh(folder)
    began = time.monotonic()
    with Services(folder / "logs", environment(folder)) as services, ExitStack() as stack:
        loop = Loop(folder, services, stack)
        for n, step in enumerate([bring_up, *steps.ALL]):
            if not holds(n, step, loop):
                return False
    print(f"Every step holds. {time.monotonic() - began:.0f} s; {folder} has what was made.")
    return True


def holds(n: int, step: Callable[[Loop], str], loop: Loop) -> bool:
    """Runs a step, and prints what it proved in how many seconds, or what went wrong and where to look."""
    began = time.monotonic()
    name = step.__name__.replace("_", " ")
    try:
        proved = step(loop)
    except Exception as error:
        if not isinstance(error, Failed | fstore.Error):
            traceback.print_exc()  # a fault of the loop itself, such as an answer in another form
        print(f"{n:2} {name}: {error}\nLook at {loop.services.logs}.", file=sys.stderr)
        return False
    print(f"{n:2} {name:20} {proved} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything is stopped then, as after Ctrl-C
    try:
        sys.exit(0 if once_round(Path(sys.argv[1]).resolve()) else 1)
    except Failed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
