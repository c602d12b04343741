"""The programs that the loop needs: each on a free port of this machine, with its output in a file, stopped at the end."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

PATIENCE = 60.0  # seconds that anything gets to start, or to come true


class Failed(Exception):
    """An arrow of the loop does not hold."""


def check(holds: bool, otherwise: str) -> None:
    """Raises `Failed` unless something holds."""
    if not holds:
        raise Failed(otherwise)


def until(holds: Callable[[], bool], otherwise: str, seconds: float = PATIENCE) -> None:
    """Waits until something holds. Raises `Failed` if that takes too long."""
    end = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < end, f"{otherwise} within {seconds:.0f} s")
        time.sleep(0.1)


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def answers(url: str) -> bool:
    """Tells whether a server answers a request with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Services:
    """Processes that run beside the loop. Use it as a block: at its end, also after Ctrl-C, they are stopped."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.logs = logs
        self.environment = dict(environment)
        """The variables of every process that is started from here on."""
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Services":
        self.logs.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(*reversed(self._running))

    def start(self, name: str, command: list[str], folder: Path) -> None:
        """Starts a program in a session of its own, so that Ctrl-C reaches the loop alone."""
        check(
            shutil.which(command[0], path=self.environment["PATH"]) is not None,
            f"{command[0]} is missing: apt-get install redis-server prometheus prometheus-pushgateway, then make loop",
        )
        with (self.logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self, name: str, url: str) -> None:
        """Waits until a program that was started answers."""

        def holds() -> bool:
            check(self._running[name].poll() is None, f"{name} ended; see {self.logs}/{name}.log")
            return answers(url)

        until(holds, f"{name} does not answer {url}; see {self.logs}/{name}.log")

    def stop(self, *names: str) -> None:
        """Stops programs and what they started: by a signal, and after a while by force."""
        processes = [self._running.pop(name) for name in names]
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for process in processes:
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.killpg(process.pid, sent)
            end = time.monotonic() + 10
            for process in processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, end - time.monotonic()))

    def run(self, command: str, folder: Path, status: int = 0) -> str:
        """Runs a command of the shell to its end, and returns what it printed to stdout. All of it is in commands.log."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        with (self.logs / "commands.log").open("a") as log:
            log.write(f"$ {command}\n{done.stdout}{done.stderr}({done.returncode})\n\n")
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        check(
            done.returncode == status,
            f"{command}\nended with status {done.returncode}, not {status}:\n{tail}",
        )
        return done.stdout
