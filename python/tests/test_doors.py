"""TLS, client certificates and tokens, with a real server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fstore
from tests.conftest import fstore as run
from tests.conftest import serving

KEYS: dict[str, Any] = {"service": "churn", "entities": {"customer_id": [12003]}}


def _openssl(*args: str, where: Path) -> None:
    subprocess.run(["openssl", *args], cwd=where, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two CAs (ca, other), and certificates of the server (127.0.0.1) and of clients (me, stranger)."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "other"):
        _make(folder, ca, None, "basicConstraints=critical,CA:TRUE")
    _make(folder, "server", "ca", "subjectAltName=IP:127.0.0.1,DNS:fstore.test")
    _make(folder, "elsewhere", "ca", "subjectAltName=DNS:elsewhere.test")
    _make(folder, "me", "ca", "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:checkout")
    _make(folder, "stranger", "other", "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:stranger")
    return folder


def _make(folder: Path, name: str, issuer: str | None, extensions: str) -> None:
    (folder / f"{name}.ext").write_text(extensions)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]
    _openssl("req", "-new", *key, "-subj", f"/CN={name}", "-out", f"{name}.csr", where=folder)
    sign = (
        ["-signkey", f"{name}.key"] if issuer is None else ["-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key"]
    )
    serial = [] if issuer is None else ["-CAcreateserial"]
    extensions_of = ["-extfile", f"{name}.ext", "-days", "2"]
    _openssl(
        "x509",
        "-req",
        "-in",
        f"{name}.csr",
        *sign,
        *serial,
        *extensions_of,
        "-out",
        f"{name}.crt",
        where=folder,
    )


@pytest.fixture(scope="module")
def locked(
    binary: Path, sample: Path, certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A server with TLS, client certificates and tokens: its address, a token for churn and one for recommend."""
    repo = tmp_path_factory.mktemp("locked") / "shop"
    shutil.copytree(sample, repo)
    tokens = [
        run(binary, "token", "create", name, "--tokens", "tokens", "--grant", grant, repo=repo).split()[0]
        for name, grant in (("all", "online:read@*"), ("some", "online:read@*/service:recommend"))
    ]
    settings = repo / "fstore.yaml"
    settings.write_text(settings.read_text().replace("\nserve:", "\nserve:\n  auth: {tokens: tokens}", 1))
    with serving(
        binary, repo, *_tls(certificates, "server"), "--tls-client-ca", str(certificates / "ca.crt")
    ) as it:
        yield it, *tokens


def _tls(certificates: Path, name: str) -> list[str]:
    return [
        "--tls-certificate",
        str(certificates / f"{name}.crt"),
        "--tls-key",
        str(certificates / f"{name}.key"),
    ]


def ask(address: str, token: str | None, tls: Any) -> fstore.Answer:
    with fstore.Client(address, token=token, tls=tls, timeout=5) as client:
        return client.online(**KEYS)


def mine(certificates: Path, name: str = "me", ca: str = "ca", **more: str) -> fstore.TLS:
    return fstore.TLS(
        ca=certificates / f"{ca}.crt",
        certificate=certificates / f"{name}.crt",
        key=certificates / f"{name}.key",
        **more,
    )


def test_with_a_certificate_and_a_token(locked: Any, certificates: Path) -> None:
    address, token, _ = locked
    assert ask(address, token, mine(certificates))["order_lines"] == [3]
    port = address.rpartition(":")[2]
    assert ask(f"localhost:{port}", token, mine(certificates, server_name="fstore.test"))["order_lines"] == [
        3
    ]


async def test_the_async_client_with_a_certificate_and_a_token(locked: Any, certificates: Path) -> None:
    address, token, _ = locked
    async with fstore.AsyncClient(address, token=token, tls=mine(certificates)) as client:
        assert (await client.online(**KEYS))["order_lines"] == [3]


def test_who_may_not_ask(locked: Any, certificates: Path) -> None:
    address, _, other = locked
    with pytest.raises(fstore.Unauthenticated):
        ask(address, None, mine(certificates))
    with pytest.raises(fstore.Unauthenticated) as caught:
        ask(address, "fst_planted", mine(certificates))
    assert "planted" not in str(caught.value)
    with pytest.raises(fstore.PermissionDenied, match="online:read"):
        ask(address, other, mine(certificates))


def test_certificates_that_do_not_fit_are_refused_at_once(locked: Any, certificates: Path) -> None:
    address, token, _ = locked
    for tls, what in (
        (mine(certificates, ca="other"), "has a certificate that is not trusted here"),
        (
            mine(certificates, name="stranger"),
            "refuses the client's certificate",
        ),
        (fstore.TLS(ca=certificates / "ca.crt"), "asks for a client certificate"),
        (mine(certificates, server_name="elsewhere.test"), "has a certificate for other names"),
    ):
        with pytest.raises(fstore.InvalidRequest, match=what):
            ask(address, token, tls)


def test_tls_on_one_side_only(locked: Any, server: str, certificates: Path) -> None:
    with (
        pytest.raises(fstore.Unavailable, match="no server answers") as caught,
        fstore.Client(locked[0], timeout=0.5) as client,
    ):
        client.online(**KEYS)
    assert "TLS" in caught.value.hints[0]
    with pytest.raises(fstore.InvalidRequest, match="does not speak TLS"):
        ask(server, None, mine(certificates))


def test_a_renewed_certificate_is_read_when_the_old_one_is_refused(
    locked: Any, certificates: Path, tmp_path: Path
) -> None:
    address, token, _ = locked
    for kind in ("crt", "key"):
        shutil.copy(certificates / f"stranger.{kind}", tmp_path / f"my.{kind}")
    tls = fstore.TLS(ca=certificates / "ca.crt", certificate=tmp_path / "my.crt", key=tmp_path / "my.key")
    with fstore.Client(address, token=token, tls=tls) as client:
        with pytest.raises(fstore.Error):
            client.online(**KEYS)
        for kind in ("crt", "key"):
            shutil.copy(certificates / f"me.{kind}", tmp_path / f"my.{kind}")
        assert client.online(**KEYS)["order_lines"] == [3]
