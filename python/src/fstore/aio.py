"""The client of a running fstore server for asyncio."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio

from fstore._attempts import Attempts
from fstore._connected import Connected
from fstore._lookup import Call, Steps
from fstore._selection import Model, selection_of
from fstore._transport import Channel
from fstore.answer import Answer
from fstore.describe import Description
from fstore.errors import InvalidRequest

T = TypeVar("T")


class AsyncClient(Connected):
    """Looks up features from one server, as `Client` does, with coroutines.

    It has one connection per event loop, opened with the loop's first call, so that a client that is made when a module
    is imported serves each worker of uvicorn or gunicorn. gRPC does not support forking after a call.
    """

    def _start(self) -> None:
        self._channels: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Channel] = (
            weakref.WeakKeyDictionary()
        )

    async def online(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        entities: Any = None,
        event_timestamps: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Returns the features of rows of keys. Arguments and errors are those of `Client.online`."""
        steps = self._lookups.online(selection_of(service, features, model), entities, event_timestamps)
        return await self._run(steps, timeout)

    async def describe(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        timeout: float | None = None,
    ) -> Description:
        """Returns what `Client.describe` does."""
        return await self._run(self._lookups.describe(selection_of(service, features, model)), timeout)

    async def published(
        self,
        *,
        service: str | None = None,
        features: str | Iterable[str] | None = None,
        model: Model | None = None,
        timeout: float | None = None,
    ) -> dict[str, datetime]:
        """Returns what `Client.published` does."""
        return await self._run(self._lookups.published(selection_of(service, features, model)), timeout)

    async def close(self) -> None:
        """Closes the connection of the running event loop. Calls in flight end with an error."""
        self._closed = True
        channel = self._channels.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, steps: Steps[T], timeout: float | None) -> T:
        """Sends what the steps yield, within one deadline, and returns their result."""
        attempts = self._attempts(timeout)
        try:
            call = next(steps)
            while True:
                try:
                    answer = await self._send(call, attempts)
                except InvalidRequest as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _send(self, call: Call, attempts: Attempts) -> bytes:
        while True:
            send = self._opened().method(call.method)
            try:
                answer: bytes = await send(
                    call.request, timeout=attempts.remaining(), metadata=self._transport.metadata()
                )
                return answer
            except grpc.aio.AioRpcError as failure:
                if failure.code() is grpc.StatusCode.UNAVAILABLE and self._renew():
                    continue
                pause = attempts.after(failure, self.address, self._transport.tls)
            await asyncio.sleep(pause)

    def _opened(self) -> Channel:
        """Returns the channel of the running event loop."""
        loop = asyncio.get_running_loop()
        channel = self._channels.get(loop)
        if channel is None:
            if self._closed:
                raise InvalidRequest("the client is closed", ["make another"])
            channel = self._channels[loop] = Channel(self._transport, grpc.aio)
        return channel

    def _renew(self) -> bool:
        """Forgets the channel if the files of TLS have changed since it was opened, and reports whether it did."""
        loop = asyncio.get_running_loop()
        if loop not in self._channels or not self._channels[loop].is_outdated():
            return False
        del self._channels[loop]
        return True
