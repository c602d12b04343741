"""What it means if no server answers."""

from __future__ import annotations

from fstore._transport import TLS
from fstore.errors import Error, InvalidRequest, Unavailable

# Causes that another address or other options mend, and no further attempt: part of gRPC's text, what it means, and
# what to do.
_MISMATCHES = (
    (
        "WRONG_VERSION_NUMBER",
        "does not speak TLS",
        "connect in plain text (tls=False), or set serve.tls.certificate and serve.tls.key of the server",
    ),
    (
        "Trying to connect an http1.x server",
        "is not a gRPC server: it speaks HTTP/1.1",
        "give the address that fstore serve prints after grpc",
    ),
    (
        "Cannot check peer: missing selected ALPN property",
        "is not a gRPC server: it speaks TLS but not HTTP/2",
        "",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "has a certificate that is not trusted here",
        "give the CA's certificate: tls=fstore.TLS(ca=…)",
    ),
    (
        "Hostname Verification Check failed",
        "has a certificate for other names",
        "use such a name as the address, or state it: tls=fstore.TLS(server_name=…)",
    ),
)
# gRPC's texts about a connection begin so, and a server's own do not: it was not made, or it was made and lost. Releases of
# gRPC differ in their words.
_NOT_MADE = ("failed to connect to", "errors resolving ", "DNS resolution failed")
_LOST = (
    "Stream removed (",
    "Socket closed",
    "Endpoint closing",
    "recvmsg:",
    "sendmsg:",
    "Broken pipe",
    "Connection reset",
    "FD Shutdown",
    "GOAWAY",
)
# Parts of the cause if a server took a connection and hung up before the first call: it may want TLS, or another certificate.
_HUNG_UP = (
    "Socket closed",
    "recvmsg:",
    "sendmsg:",
    "Broken pipe",
    "Connection reset",
    "Handshake",
    "handshake",
)
# After a TLS 1.3 handshake the server refuses a client's certificate, and gRPC does not say why.
_REFUSED = "TSI_DATA_CORRUPTED"


def explain(error: Error, text: str, address: str, tls: TLS | None) -> Error:
    """Returns an error that says why no server answers, or that it hung up, if that is so; else the same error.

    `text` is gRPC's.
    """
    if type(error) is not Unavailable:
        return error
    for cause, what, hint in _MISMATCHES:
        if cause in text:
            return InvalidRequest(f"the server at {address} {what}", [hint] if hint else [])
    if _REFUSED in text and tls:
        if not tls.certificate:
            hint = "give one and its key: tls=fstore.TLS(certificate=…, key=…)"
            return InvalidRequest(f"the server at {address} asks for a client certificate", [hint])
        hint = "give one that is valid now and comes from a CA in the server's serve.tls.client_ca"
        return InvalidRequest(f"the server at {address} refuses the client's certificate", [hint])
    if text.startswith(_LOST):
        inner = text.removeprefix("Stream removed (")
        why = inner if inner == text else inner.removesuffix(")")
        return Unavailable(f"the connection to the server at {address} was lost: {why}")
    if not text.startswith(_NOT_MADE):
        return error
    why = text.rpartition("last error: ")[2].removeprefix("UNKNOWN: ").removeprefix("UNAVAILABLE: ")
    hint = "start one there with fstore serve, or use another address"
    if any(part in why for part in _HUNG_UP):
        hint = (
            "the server may want another client certificate: tls=fstore.TLS(certificate=…, key=…)"
            if tls
            else "the server may want TLS: tls=True, or tls=fstore.TLS(ca=…)"
        )
    return Unavailable(f"no server answers at {address}: {why}", [hint])
