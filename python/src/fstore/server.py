"""A server of a repo on this machine, for notebooks and tests."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from fstore import errors
from fstore._command import start

if TYPE_CHECKING:
    from fstore.client import Client

_PATIENCE = 15.0  # seconds that the server gets to answer what is in flight


class _Access:
    """What a server asks of its callers: what the settings of the repo say."""

    flags: Sequence[str] = ()
    variables: Mapping[str, str] = MappingProxyType({})
    options: Mapping[str, Any] = MappingProxyType({})
    """What `Client` needs to come in."""

    def close(self) -> None:
        """Removes the files that it was made of."""


class PrivateAccess(_Access):
    """Lets in this process only, by a token that nobody else knows, whatever the settings of the repo ask of callers."""

    flags = (
        *("--tls-certificate=", "--tls-key=", "--tls-client-ca="),
        *("--jwt-issuer=", "--jwt-audience=", "--jwt-jwks="),
        *("--offline=false", "--feast=false"),
    )

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fstore-")  # which only this user can read
        token = "fst_" + secrets.token_urlsafe(32)
        entry = {
            "name": "this-process",
            "sha256": hashlib.sha256(token.encode()).hexdigest(),
            "grants": ["online:read@*"],
        }
        file = Path(self._folder.name) / "tokens.yaml"
        file.write_text(json.dumps([entry]), "utf-8")
        file.chmod(0o600)
        self.variables = {"FSTORE_SERVE_AUTH_TOKENS": str(file)}
        self.options = {"token": token, "tls": False}

    def close(self) -> None:
        """Removes the token."""
        self._folder.cleanup()


class Server:
    """`fstore serve` on free ports of this machine: with Repo(".").serve() as client: client.online(…).

    It picks up later applies and publications by itself. It ends with the block, with `close()`, and with this process,
    however that ends.
    """

    def __init__(self, argv: list[str], access: _Access | None = None) -> None:
        """Starts the server and waits until it listens. `argv` is the command."""
        self._access = access or _Access()
        try:
            self._process = start(
                [*argv, *self._access.flags, "--stop-on-eof"],
                stdin=subprocess.PIPE,
                variables=self._access.variables,
            )
        except BaseException:
            self._access.close()
            raise
        self._owner = os.getpid()
        self._log: deque[str] = deque(maxlen=200)
        self._reader = threading.Thread(target=self._read_log, name="fstore serve", daemon=True)
        self._reader.start()
        self._clients: list[Client] = []
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        except BaseException:
            self.close()
            raise
        if not line:
            self.close()
            raise self._failure()
        addresses: dict[str, Any] = json.loads(line)
        self.address: str = addresses["grpc"]
        """The address of gRPC, for `fstore.Client`."""
        self.http: str = addresses["http"]
        """The address of HTTP/JSON."""
        self.metrics: str = addresses["metrics"]
        """The address of /healthz, /readyz and /metrics."""
        atexit.register(self.close)

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line.decode("utf-8", "replace").rstrip("\n")[:2000])

    def _failure(self) -> errors.Error:
        from fstore._command import reported

        for line in self._log:
            if line.startswith('{"error"'):
                return reported(json.loads(line)["error"])
        return errors.Error("\n".join(["fstore serve did not start", *self._log]))

    @property
    def log(self) -> list[str]:
        """The last lines of the server's log."""
        return list(self._log)

    def client(self, **options: Any) -> Client:
        """Returns a client of this server, which is closed with it. The options are those of `fstore.Client`."""
        from fstore.client import Client

        client = Client(self.address, **self._access.options, **options)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Stops the server, once it has answered what is in flight. Closing again does nothing."""
        if os.getpid() != self._owner:  # a fork of the process that has the server
            return
        atexit.unregister(self.close)
        with ExitStack() as last_first:  # everything is closed, whatever fails before
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    last_first.callback(stream.close)
            last_first.callback(self._access.close)
            last_first.callback(self._reader.join)
            last_first.callback(self._stop)
            for client in self._clients:
                last_first.callback(client.close)

    def _stop(self) -> None:
        """Ends the process: by a signal, and after a while by force."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait(_PATIENCE)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Client:
        return self.client()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "stopped" if self._process.poll() is not None else f"grpc {self.address}, http {self.http}"
        return f"<fstore serve: {state}>"
