"""Deadlines, retries, tokens and caches, against a server that does as it is told. Both clients behave alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest
from google.protobuf import any_pb2, duration_pb2

import fstore
from fstore._lookup import DESCRIBE, GET
from fstore.v1 import feature_store_pb2 as pb

Reply = Callable[[bytes, grpc.ServicerContext], bytes]


class Told(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers each call with the next of its replies, and the last one for ever. It remembers what it saw."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.seen: list[tuple[str, bytes, dict[str, Any]]] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.seen.append((details.method, request, dict(details.invocation_metadata)))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            return reply(request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    def requests(self, method: str) -> list[pb.GetOnlineFeaturesRequest]:
        return [pb.GetOnlineFeaturesRequest.FromString(r) for m, r, _ in self.seen if m == method]


@pytest.fixture
def told() -> Iterator[tuple[Told, str]]:
    handler = Told()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield handler, f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture(params=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Callable[..., fstore.Answer]:
    """Looks up once, with either client."""

    def sync(address: str, options: dict[str, Any] | None = None, **arguments: Any) -> fstore.Answer:
        with fstore.Client(address, **(options or {})) as client:
            return client.online(**({"service": "s"} | arguments))

    def by_asyncio(address: str, options: dict[str, Any] | None = None, **arguments: Any) -> fstore.Answer:
        async def run() -> fstore.Answer:
            async with fstore.AsyncClient(address, **(options or {})) as client:
                return await client.online(**({"service": "s"} | arguments))

        return asyncio.run(run())

    return sync if request.param == "Client" else by_asyncio


def answer(*features: str, version: int = 1) -> Reply:
    message = pb.GetOnlineFeaturesResponse(rows=1, service=pb.ServiceAnswer(name="s", version=version))
    for name in features:
        message.features.add(name=name, type="int64", int64_values=[1])
    return lambda request, context: message.SerializeToString()


def fails(code: grpc.StatusCode, text: str = "no", retry: float | None = None) -> Reply:
    def reply(request: bytes, context: grpc.ServicerContext) -> bytes:
        if retry is not None:
            delay = duration_pb2.Duration(seconds=int(retry), nanos=int(retry % 1 * 1e9)).SerializeToString()
            info = any_pb2.Any(
                type_url="type.googleapis.com/google.rpc.RetryInfo",
                value=b"\x0a" + bytes([len(delay)]) + delay,
            )
            data = info.SerializeToString()
            status = b"\x08" + bytes([code.value[0]]) + b"\x1a" + bytes([len(data)]) + data
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
        context.abort(code, text)
        raise AssertionError

    return reply


AWAY = fails(grpc.StatusCode.UNAVAILABLE, "the store is away")


def test_unavailable_is_tried_again_with_the_token(told: tuple[Told, str], ask: Any, tmp_path: Path) -> None:
    server, address = told
    file = tmp_path / "token"
    file.write_text(" right\n")
    for options in ({"token": "right"}, {"token_file": file}):
        server.seen.clear()
        server.replies = [AWAY, AWAY, answer("f")]
        assert ask(address, options)["f"] == [1]
        assert [metadata.get("authorization") for _, _, metadata in server.seen] == ["Bearer right"] * 3


def test_the_token_of_the_environment(
    told: tuple[Told, str], ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, address = told
    server.replies = [answer()]
    monkeypatch.setenv("FSTORE_TOKEN", "planted")
    ask(address)
    ask(address, {"token": "mine"})
    assert [metadata.get("authorization") for _, _, metadata in server.seen] == [
        "Bearer planted",
        "Bearer mine",
    ]


@pytest.mark.parametrize("retries", [0, 2])
def test_retries_bound_the_attempts(told: tuple[Told, str], ask: Any, retries: int) -> None:
    server, address = told
    server.replies = [AWAY]
    with pytest.raises(fstore.Unavailable, match=r"^the store is away$") as caught:
        ask(address, {"retries": retries})
    assert type(caught.value) is fstore.Unavailable
    assert len(server.seen) == retries + 1


def test_the_deadline_ends_the_retries(told: tuple[Told, str], ask: Any) -> None:
    server, address = told
    server.replies = [AWAY]
    with pytest.raises(fstore.Unavailable, match=r"^the store is away; \d+ attempts?, then 0.3 s were over"):
        ask(address, timeout=0.3)


def test_a_call_ends_at_its_deadline(told: tuple[Told, str], ask: Any) -> None:
    server, address = told
    over = threading.Event()

    def hang(request: bytes, context: grpc.ServicerContext) -> bytes:
        over.wait(30)
        return b""

    server.replies = [hang]
    try:
        with pytest.raises(TimeoutError) as caught:
            ask(address, {"timeout": 0.2})
    finally:
        over.set()
    assert type(caught.value) is fstore.DeadlineExceeded
    assert isinstance(caught.value, fstore.Unavailable)


def test_a_busy_server_is_asked_again_when_it_says(told: tuple[Told, str], ask: Any) -> None:
    server, address = told
    full = grpc.StatusCode.RESOURCE_EXHAUSTED
    server.replies = [fails(full, retry=0.05), answer("f")]
    assert ask(address)["f"] == [1]
    server.seen.clear()
    server.replies = [fails(full, "slow down", retry=60)]
    with pytest.raises(fstore.Busy, match="slow down") as caught:
        ask(address)
    assert caught.value.retry_after == 60
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", fstore.InvalidRequest),
        ("NOT_FOUND", fstore.NotFound),
        ("FAILED_PRECONDITION", fstore.NotPublished),
        ("RESOURCE_EXHAUSTED", fstore.TooLarge),
        ("UNAUTHENTICATED", fstore.Unauthenticated),
        ("PERMISSION_DENIED", fstore.PermissionDenied),
        ("ABORTED", fstore.Conflict),
        ("DATA_LOSS", fstore.DataLoss),
        ("DEADLINE_EXCEEDED", fstore.DeadlineExceeded),
        ("INTERNAL", fstore.Error),
    ],
)
def test_nothing_else_is_tried_again(
    told: tuple[Told, str], ask: Any, code: str, kind: type[fstore.Error]
) -> None:
    server, address = told
    server.replies = [fails(grpc.StatusCode[code], "v@2 (x) is odd (run: fstore do (it))")]
    with pytest.raises(fstore.Error) as caught:
        ask(address)
    assert type(caught.value) is kind
    assert caught.value.hints == ["run: fstore do (it)"]
    assert caught.value.message.endswith("v@2 (x) is odd")
    assert len(server.seen) == 1


def test_an_answer_that_cannot_be_read(told: tuple[Told, str], ask: Any) -> None:
    server, address = told
    server.replies = [lambda request, context: b"\xff\xff"]
    with pytest.raises(fstore.DataLoss, match="cannot be read"):
        ask(address)


def described(*columns: str, version: int = 1) -> Reply:
    message = pb.DescribeFeaturesResponse(service=pb.ServiceAnswer(name="s", version=version))
    for name in columns:
        message.key_columns.add(name=name, type="int64")
    return lambda request, context: message.SerializeToString()


FRAME = pd.DataFrame({"a": [1], "b": [2], "c": [object()]})


def sent(server: Told) -> list[list[str]]:
    return [[column.name for column in request.entities] for request in server.requests(GET)]


def test_a_selection_is_described_once(told: tuple[Told, str]) -> None:
    server, address = told
    server.replies = [described("a"), answer("f")]
    with fstore.Client(address) as client:
        for _ in range(3):
            client.online(service="s", entities=FRAME)
    assert [method for method, _, _ in server.seen] == [DESCRIBE, GET, GET, GET]
    assert sent(server) == [["a"]] * 3


@pytest.mark.parametrize(
    "outdated", [answer("f", version=2), fails(grpc.StatusCode.INVALID_ARGUMENT, "b is missing")]
)
def test_a_description_that_has_become_outdated_is_asked_again(
    told: tuple[Told, str], outdated: Reply
) -> None:
    server, address = told
    with fstore.Client(address) as client:
        server.replies = [described("a"), answer("f")]
        client.online(service="s", entities=FRAME)
        server.replies = [outdated, described("a", "b", version=2), answer("f", version=2)]
        assert client.online(service="s", entities=FRAME)["f"] == [1]
        assert client.online(service="s", entities=FRAME)["f"] == [1]
    assert sent(server) == [["a"], ["a"], ["a", "b"], ["a", "b"]]


def test_a_refusal_is_an_error_if_the_columns_are_right(told: tuple[Told, str]) -> None:
    server, address = told
    refuses = fails(grpc.StatusCode.INVALID_ARGUMENT, "a is odd")
    with fstore.Client(address) as client:
        server.replies = [described("a"), refuses]
        with pytest.raises(fstore.InvalidRequest, match="a is odd"):
            client.online(service="s", entities=FRAME)
        assert len(server.seen) == 2
        server.replies = [refuses, described("a"), refuses]
        with pytest.raises(fstore.InvalidRequest, match="a is odd"):
            client.online(service="s", entities=FRAME)
        assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("address", "options", "refused"),
    [
        ("127.0.0.1:1", {"token": "planted"}, False),
        ("[::1]:1", {"token": "planted"}, False),
        ("localhost:1", {"token": "planted"}, False),
        ("unix:///run/fstore", {"token": "planted"}, False),
        ("192.0.2.1:1", {"token": "planted"}, True),
        ("localhost.example.com:1", {"token": "planted"}, True),
        ("dns:///fstore:1", {"token": "planted"}, True),
        ("192.0.2.1:1", {"token_file": "planted"}, True),
        ("192.0.2.1:1", {"token": "planted", "plain_token": True}, False),
        ("192.0.2.1:1", {"token": "planted", "tls": True}, False),
        ("192.0.2.1:1", {}, False),
    ],
)
def test_a_token_is_not_sent_in_plain_text_to_another_machine(
    address: str, options: dict[str, Any], refused: bool
) -> None:
    if not refused:
        fstore.Client(address, **options).close()
        return
    with pytest.raises(fstore.InvalidRequest, match="plain text") as caught:
        fstore.Client(address, **options)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("token", ["planted\n", "plant ed", "plänted"])
def test_tokens_that_cannot_be_sent(told: tuple[Told, str], ask: Any, token: str) -> None:
    server, address = told
    server.replies = [answer()]
    with pytest.raises(fstore.InvalidRequest, match="one word of ASCII") as caught:
        ask(address, {"token": token})
    assert "plant" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "fstore", "http://fstore:1", "a:b", "host:1/x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(fstore.InvalidRequest, match="not an address"):
        fstore.Client(address)


def test_options_that_contradict() -> None:
    with pytest.raises(fstore.InvalidRequest, match="both token and token_file"):
        fstore.Client("a:1", token="t", token_file="f")
    with pytest.raises(fstore.InvalidRequest, match="needs its key"):
        fstore.Client("a:1", tls=fstore.TLS(certificate="c.pem"))
    with pytest.raises(fstore.InvalidRequest, match=r"none\.pem: No such file"):
        fstore.Client("a:1", tls=fstore.TLS(ca="none.pem"))


def test_nobody_listens(ask: Any) -> None:
    with pytest.raises(fstore.Unavailable, match=r"no server answers at 127\.0\.0\.1:1") as caught:
        ask("127.0.0.1:1", {"timeout": 0.3})
    assert "fstore serve" in caught.value.hints[0]
