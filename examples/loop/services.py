"""The programs that the loop needs: each on a free port of this machine, with its output in a file, stopped at the end."""

import os
import random
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
LONGEST = 300.0  # seconds that a command gets
PORTS = range(10_000, 32_000)  # below those that Linux gives to connections, so that none takes a port before its program listens


class Failed(Exception):
    """What a step of the loop should prove does not hold."""


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
    """Returns a port that nothing listens on, and that it has not returned before."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as s, suppress(OSError):
            s.bind(("127.0.0.1", port))
            if port not in given:
                given.add(port)
                return port


given: set[int] = set()


def whole_lines(file: Path) -> list[str]:
    """Returns the lines of a file that somebody else is writing: not the one that has no end yet."""
    return file.read_text().rpartition("\n")[0].splitlines() if file.exists() else []


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

    def stop(self, *names: str, patience: float = 10) -> None:
        """Stops programs and what they started: by a signal, and after some seconds by force."""
        processes = [self._running.pop(name) for name in names]
        ours = [p for p in processes if p.poll() is None]  # the id of the others may be somebody else's by now
        end = time.monotonic() + patience
        for process in ours:
            os.killpg(process.pid, signal.SIGTERM)
        while not all(map(ended, ours)) and time.monotonic() < end:
            time.sleep(0.02)
        for process in ours:
            os.killpg(process.pid, signal.SIGKILL)  # also what a program that has ended left behind
            process.wait()

    def run(self, command: str, folder: Path, status: int = 0, longest: float = LONGEST) -> str:
        """Runs a command of the shell to its end, and returns what it printed to stdout. All of it is in commands.log."""
        with subprocess.Popen(
            command,
            shell=True,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=longest)
            except BaseException as error:  # also Ctrl-C
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Failed(f"{command}\nhas not ended within {longest:.0f} s") from None
                raise
        with (self.logs / "commands.log").open("a") as log:
            log.write(f"$ {command}\n{out}{err}({process.returncode})\n\n")
        tail = "\n".join((out + err).splitlines()[-15:])
        check(
            process.returncode == status,
            f"{command}\nended with status {process.returncode}, not {status}:\n{tail}",
        )
        return out


def ended(process: subprocess.Popen[bytes]) -> bool:
    """Tells whether a process has ended, and leaves it as it is: until it is waited for, its id is nobody else's."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
