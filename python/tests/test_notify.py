"""The Python of docs/notify.md verifies what fstore sends, and nothing else."""

from __future__ import annotations

import base64
import re
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, fstore

Verify = Callable[..., bool]


@pytest.fixture
def verify() -> Verify:
    """The function as the page has it."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/notify.md").read_text(), re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]  # type: ignore[no-any-return]


def sent(binary: Path, repo: Path, secret: str) -> tuple[dict[str, str], bytes]:
    """Returns the headers, in lower case, and the body of a test message."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (repo / "fstore.yaml").open("a") as settings:
            settings.write(
                f"\nnotify: {{url: 'http://127.0.0.1:{server.server_port}/hook', secret: '{secret}'}}\n"
            )
        try:
            assert "taken" in fstore(binary, "notify", "--test", repo=repo)
        finally:
            server.shutdown()
    (message,) = got
    return message


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_snippet_verifies_what_fstore_sends(
    binary: Path, repo: Path, verify: Verify, prefix: str
) -> None:
    secret = prefix + base64.b64encode(secrets.token_bytes(32)).decode()
    headers, body = sent(binary, repo, secret)
    assert verify(secret, headers, body)
    # Standard Webhooks lets a sender sign with two keys while one replaces the other.
    assert verify(
        secret, headers | {"webhook-signature": "v1,b3RoZXI= " + headers["webhook-signature"]}, body
    )

    assert not verify(secret, headers, body + b" ")
    assert not verify(base64.b64encode(bytes(32)).decode(), headers, body)
    assert not verify(secret, headers | {"webhook-id": "msg_other"}, body)
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not verify(secret, headers | {"webhook-timestamp": later}, body)
    assert not verify(secret, headers | {"webhook-signature": "v1,"}, body)


def test_the_snippet_refuses_a_message_that_is_old(
    binary: Path, repo: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    headers, body = sent(binary, repo, secret)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400)
    assert not verify(secret, headers, body)
