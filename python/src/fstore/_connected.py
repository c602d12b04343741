"""What `Client` and `AsyncClient` have in common: how they are made, and how long they try."""

from __future__ import annotations

import os

from fstore._attempts import DEFAULT_TIMEOUT, Attempts
from fstore._lookup import Lookups
from fstore._transport import TLS, Transport


class Connected:
    """A client without its calls."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        tls: TLS | bool | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int | None = None,
        plain_token: bool = False,
    ) -> None:
        """Returns a client of the server at an address; it does not wait for the server.

        address: "host:port", "unix:///path" or "dns:///host:port".
        token: says who asks: a token of `fstore token create`, or a JWT. token_file: a file with one, read for each
            attempt. Without either, the variable FSTORE_TOKEN. A token goes to another machine only over TLS, unless
            plain_token allows it for a network that encrypts by itself.
        tls: TLS(ca=…, certificate=…, key=…, server_name=…); True trusts the CAs of the system; False is plain text.
            None is plain text unless the variables of the command ask for TLS (FSTORE_TLS, FSTORE_TLS_CA, …).
        timeout: seconds for a call with all its attempts.
        retries: how often a call is sent again at most if the server is unavailable or busy. By default the timeout is
            the only limit; 0 means never.

        Raises InvalidRequest for an address, a file or a token that cannot be used.
        """
        self._transport = Transport(address, token, token_file, tls, plain_token)
        self._timeout = timeout
        self._retries = retries
        self._lookups = Lookups()
        self._closed = False
        self._start()

    def _start(self) -> None:
        """Prepares what a client keeps of its connections. Nothing connects yet."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """The address of the server, as it was given."""
        return self._transport.address

    def __repr__(self) -> str:
        return f"fstore.{type(self).__name__}({self.address!r})"

    def _attempts(self, timeout: float | None = None) -> Attempts:
        """Returns the attempts of one call, which share its deadline."""
        return Attempts(self._timeout if timeout is None else timeout, self._retries)
