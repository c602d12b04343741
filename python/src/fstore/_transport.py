"""How to reach a server: addresses, TLS, tokens, and the options of a channel."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import grpc

from fstore.errors import InvalidRequest

_MAX_ANSWER = 64 << 20  # bytes; no answer is larger
_MAX_TOKEN_FILE = 64 << 10

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TLS:
    """How a connection is secured. The files are PEM.

    Files that were renewed take effect with the next channel: a call that finds the server unavailable looks whether
    they have changed, and connects anew if so.
    """

    ca: str | os.PathLike[str] | None = None
    """File of the CAs that the server's certificate must come from; None means those of the system."""
    certificate: str | os.PathLike[str] | None = None
    """File of this client's certificate with its chain, for servers that ask for one."""
    key: str | os.PathLike[str] | None = None
    """File of the private key of the certificate."""
    server_name: str | None = None
    """Name in the server's certificate, if it is not the host of the address."""

    def files(self) -> list[Path]:
        """Returns the files that exist as settings."""
        return [Path(f) for f in (self.ca, self.certificate, self.key) if f]

    def check(self) -> None:
        """Raises InvalidRequest for files that cannot be used."""
        if bool(self.certificate) != bool(self.key):
            raise InvalidRequest(
                "a client certificate needs its key, and a key its certificate", ["give both"]
            )
        for file in self.files():
            _read(file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            what = f"{self.ca}: it has no CA certificates"
            if self.ca:
                context.load_verify_locations(self.ca)
            what = f"{self.certificate} and {self.key} are not a certificate and its key"
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise InvalidRequest(f"{what}: {error}", ["the files are PEM"]) from error

    def credentials(self) -> Any:
        """Reads the files and returns gRPC's credentials."""
        ca = self.ca or ssl.get_default_verify_paths().cafile
        return grpc.ssl_channel_credentials(
            root_certificates=_read(ca) if ca else None,
            private_key=_read(self.key) if self.key else None,
            certificate_chain=_read(self.certificate) if self.certificate else None,
        )


class Transport:
    """What a channel to a server needs."""

    def __init__(
        self,
        address: str,
        token: str | None,
        token_file: str | os.PathLike[str] | None,
        tls: TLS | bool | None,
        plain_token: bool,
    ) -> None:
        self.address = _checked_address(address)
        self.tls = _tls_of(tls)
        if token is not None and token_file is not None:
            raise InvalidRequest("both token and token_file are given", ["give one"])
        self._token_file = token_file
        self._token = (
            token if token is not None else os.environ.get("FSTORE_TOKEN") if token_file is None else None
        )
        has_token = bool(self._token) or token_file is not None
        if has_token and not self.tls and not plain_token and not _is_local(address):
            raise InvalidRequest(
                f"{address}: the token would be sent in plain text to another machine",
                [
                    "use TLS (tls=True, or tls=fstore.TLS(ca=…)), or allow it (plain_token=True) where a mesh encrypts"
                ],
            )
        if self.tls:
            self.tls.check()

    def metadata(self) -> Metadata:
        """Returns the metadata of an attempt; a file is read each time. The error never repeats the token."""
        token = self._token
        if self._token_file is not None:
            token = _read(self._token_file, _MAX_TOKEN_FILE).decode("ascii", "replace").strip()
            if not token:
                raise InvalidRequest(
                    f"{self._token_file} is empty", ["write a token of fstore token create into it"]
                )
        if not token:
            return ()
        if not re.fullmatch(r"[!-~]+", token):
            raise InvalidRequest(
                "the token is not one word of ASCII", ["without line ends and quotation marks"]
            )
        return (("authorization", f"Bearer {token}"),)

    def options(self) -> list[tuple[str, Any]]:
        """Returns the options of a channel."""
        from fstore._version import __version__  # looks into the installed distributions

        options: list[tuple[str, Any]] = [
            ("grpc.max_receive_message_length", _MAX_ANSWER),
            ("grpc.enable_retries", 0),  # this package retries, within the deadline and as the server asks
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.primary_user_agent", f"fstore-sdk/{__version__}"),
        ]
        if self.tls and self.tls.server_name:
            options.append(("grpc.ssl_target_name_override", self.tls.server_name))
        return options

    def fingerprint(self) -> tuple[object, ...]:
        """Returns what changes when a file of TLS does."""
        stats = []
        for file in self.tls.files() if self.tls else ():
            try:
                stat = file.stat()
                stats.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                stats.append((0, 0, 0))
        return tuple(stats)


class Channel:
    """A channel of gRPC, with what calls its methods."""

    def __init__(self, transport: Transport, api: Any) -> None:
        """Opens a channel with grpc or grpc.aio. It connects with the first call."""
        self._transport = transport
        self._files = transport.fingerprint()
        self._methods: dict[str, Any] = {}
        address, options = transport.address, transport.options()
        self._channel = (
            api.secure_channel(address, transport.tls.credentials(), options)
            if transport.tls
            else api.insecure_channel(address, options)
        )

    def method(self, name: str) -> Any:
        """Returns what calls a method: bytes go in, bytes come out."""
        send = self._methods.get(name)
        if send is None:
            send = self._methods[name] = self._channel.unary_unary(name)
        return send

    def stream(self, kind: str, name: str) -> Any:
        """Returns what calls a method of a kind, such as "unary_stream": bytes go in, bytes come out."""
        return getattr(self._channel, kind)(name)

    def is_outdated(self) -> bool:
        """Reports whether the files of TLS have changed since the channel was opened."""
        return self._files != self._transport.fingerprint()

    def close(self) -> Any:
        """Closes the channel; of grpc.aio, returns what to await."""
        return self._channel.close()


def _tls_of(tls: TLS | bool | None) -> TLS | None:
    """Returns the settings of TLS; None is plain text. Without any, the environment decides, as for the command."""
    if isinstance(tls, TLS):
        return tls
    if tls is not None:
        return TLS() if tls else None
    given = {f.name: os.environ.get(f"FSTORE_TLS_{f.name.upper()}") for f in fields(TLS)}
    if any(given.values()) or _is_on(os.environ):
        return TLS(**given)
    return None


def _is_on(environment: Mapping[str, str]) -> bool:
    return environment.get("FSTORE_TLS", "").lower() in ("1", "t", "true")


def _checked_address(address: str) -> str:
    if re.fullmatch(r"(unix|unix-abstract|dns|ipv4|ipv6|xds):.+", address):
        return address
    if re.fullmatch(r"(\[[0-9a-fA-F:.%\w]+\]|[^:/\s]+):\d{1,5}", address):
        return address
    raise InvalidRequest(
        f"{address!r} is not an address",
        ["for example 127.0.0.1:6566, unix:///run/fstore.sock or dns:///fstore:6566"],
    )


def _is_local(address: str) -> bool:
    """Reports whether an address is surely of this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _read(path: str | os.PathLike[str], limit: int = 4 << 20) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InvalidRequest(f"{os.fspath(path)}: {error.strerror or error}") from error
    if len(data) > limit:
        raise InvalidRequest(f"{os.fspath(path)} is larger than {limit:,} bytes")
    return data
