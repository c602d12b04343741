"""What gRPC says of a connection, and what it means to callers."""

from __future__ import annotations

import socket
import threading

import pytest

import fstore
from fstore._unreachable import explain

ALL = "failed to connect to all addresses; last error: "
START = "start one there with fstore serve"
WANTS_TLS = "the server may want TLS"


@pytest.mark.parametrize(
    ("said", "want", "hint"),
    [
        (
            ALL + "UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
            "no server answers at a:1: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused",
            START,
        ),
        (
            ALL + "UNKNOWN: ipv4:10.0.0.1:1: Failed to connect to remote host: Timeout occurred: FD Shutdown",
            "no server answers at a:1: ipv4:10.0.0.1:1: Failed to connect to remote host: Timeout",
            START,
        ),
        (
            ALL + "UNKNOWN: ipv4:10.0.0.1:1: No route to host",
            "no server answers at a:1: ipv4:10.0.0.1:1: No",
            START,
        ),
        (
            "errors resolving a:1: [field:hostname lookup error:address lookup failed for a:1: Domain name not found]",
            "no server answers at a:1: errors resolving a:1",
            START,
        ),
        (
            "DNS resolution failed for a:1: C-ares status is not ARES_SUCCESS",
            "no server answers at a:1: DNS resolution failed",
            START,
        ),
        (
            ALL + "UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed",
            "no server answers at a:1: ipv4:127.0.0.1:1: Socket",
            WANTS_TLS,
        ),
        (
            ALL + "UNAVAILABLE: ipv4:127.0.0.1:1: recvmsg:Connection reset by peer (104)",
            "no server answers at a:1: ipv4:127.0.0.1:1: recvmsg",
            WANTS_TLS,
        ),
        ("Stream removed (Socket closed)", "the connection to the server at a:1 was lost: Socket closed", ""),
        ("Socket closed", "the connection to the server at a:1 was lost: Socket closed", ""),
        ("Endpoint closing", "the connection to the server at a:1 was lost: Endpoint closing", ""),
        (
            "Stream removed (GOAWAY received; Error code: 0; Debug Text: )",
            "the connection to the server at a:1 was lost: GOAWAY received; Error code: 0; Debug Text: ",
            "",
        ),
        ("GOAWAY received", "the connection to the server at a:1 was lost: GOAWAY received", ""),
        ("the store is away", "the store is away", ""),
        ("the store: dial tcp 1: Connection refused", "the store: dial tcp 1: Connection refused", ""),
        (
            "the store: failed to connect to it: Socket closed",
            "the store: failed to connect to it: Socket closed",
            "",
        ),
    ],
)
def test_what_grpc_says_of_a_connection(said: str, want: str, hint: str) -> None:
    error = explain(fstore.Unavailable(said), said, "a:1", None)
    assert type(error) is fstore.Unavailable
    assert error.message.startswith(want)
    assert "; ".join(error.hints).startswith(hint)
    assert bool(error.hints) == bool(hint)


def test_the_hint_with_tls_is_about_certificates() -> None:
    said = ALL + "UNAVAILABLE: ipv4:127.0.0.1:1: Handshake read failed (Socket closed)"
    error = explain(fstore.Unavailable(said), said, "a:1", fstore.TLS())
    assert error.hints[0].startswith("the server may want another client certificate")


def test_a_connection_that_is_lost_with_the_call_under_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # HTTP/2: a frame of settings
                seen, part = b"", b"-"
                while part and b"churn" not in seen:  # until the request has come
                    part = connection.recv(1 << 16)
                    seen += part

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            fstore.Client(address, timeout=60, retries=0) as client,
            pytest.raises(
                fstore.Unavailable, match=r"^the connection to the server at .* was lost: "
            ) as caught,
        ):
            client.online(service="churn")
        thread.join(60)
    assert not caught.value.hints
