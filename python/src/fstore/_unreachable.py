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
# Parts of gRPC's texts about a connection that failed. A server's own texts have none of them.
_NO_CONNECTION = (
    "failed to connect to",
    "DNS resolution failed",
    "Socket closed",
    "Endpoint closing",
    "recvmsg:",
    "sendmsg:",
    "Broken pipe",
    "Connection reset",
    "Connection refused",
    "FD Shutdown",
    "GOAWAY",
)


# After a TLS 1.3 handshake the server refuses a client's certificate, and gRPC does not say why.
_REFUSED = "TSI_DATA_CORRUPTED"


def explain(error: Error, text: str, address: str, tls: TLS | None) -> Error:
    """Returns an error that says why no server answers, if that is so; else the same error.

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
    if not any(part in text for part in _NO_CONNECTION):
        return error
    why = text.rpartition("last error: ")[2].removeprefix("UNKNOWN: ").removeprefix("UNAVAILABLE: ")
    hint = "start one there with fstore serve, or use another address"
    if "refused" not in why:
        hint = (
            "the server may want another client certificate: tls=fstore.TLS(certificate=…, key=…)"
            if tls
            else "the server may want TLS: tls=True, or tls=fstore.TLS(ca=…)"
        )
    return Unavailable(f"no server answers at {address}: {why}", [hint])
