"""What it means if no server answers."""

from __future__ import annotations

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
        "CERTIFICATE_REQUIRED",
        "asks for a client certificate",
        "give one and its key: tls=fstore.TLS(certificate=…, key=…)",
    ),
    ("CERTIFICATE_EXPIRED", "refuses the client's certificate, because it has expired", "renew it"),
    (
        "ALERT_UNKNOWN_CA",
        "refuses the client's certificate",
        "give one that comes from a CA in the server's serve.tls.client_ca",
    ),
    (
        "ALERT_BAD_CERTIFICATE",
        "refuses the client's certificate",
        "give one that comes from a CA in the server's serve.tls.client_ca",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "has a certificate that is not trusted here",
        "give the CA's certificate: tls=fstore.TLS(ca=…)",
    ),
    (
        "is not in peer certificate",
        "has a certificate for other names",
        "use such a name as the address, or state it: tls=fstore.TLS(server_name=…)",
    ),
)
_NO_CONNECTION = (
    "failed to connect to all addresses",
    "Socket closed",
    "recvmsg:",
    "Connection reset",
    "GOAWAY",
)


def explain(error: Error, address: str, tls: bool) -> Error:
    """Returns an error that says why no server answers, if that is so; else the same error."""
    if type(error) is not Unavailable:
        return error
    for cause, what, hint in _MISMATCHES:
        if cause in error.message:
            return InvalidRequest(f"the server at {address} {what}", [hint] if hint else [])
    if not any(text in error.message for text in _NO_CONNECTION):
        return error
    why = error.message.rpartition("last error: ")[2].removeprefix("UNKNOWN: ")
    hints = ["start one there with fstore serve, or use another address"]
    if "refused" not in why and not tls:
        hints = ["the server may want TLS: tls=True, or tls=fstore.TLS(ca=…)"]
    return Unavailable(f"no server answers at {address}: {why}", hints)
