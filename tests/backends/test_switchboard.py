"""The backends of the moment: exchanged under calls, closed when nobody has them any more; and whose word they take."""

import asyncio
import datetime
import ipaddress
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from endpointd.backends.switchboard import Switchboard
from endpointd.errors import UsageError
from endpointd.sessions.errors import CallRefused
from endpointd.settings.settings import Settings
from support.asking import CALLER, everything, pieces
from support.stand_in import Step, standing_in
from support.stand_in_dify import INNER_KEY, TENANT, DifyInnerStandIn

FIRST = [{"n": 1}]


def settings_of(key: Path, **backends: dict[str, Any]) -> Settings:
    common = {"type": "dify-inner", "key": {"file": str(key)}, "tenant": TENANT}
    return Settings.model_validate({"backend": {name: {**common, **given} for name, given in backends.items()}})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(INNER_KEY)
    return path


def run(use: Callable[[Switchboard], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            switchboard = Switchboard()
            await use(switchboard)
            await switchboard.close()

    asyncio.run(bounded())


async def ask(switchboard: Switchboard) -> list[Any]:
    return await everything(switchboard.find(CALLER, "app"), "app", {})


def test_before_and_after_there_is_none(key: Path, inner: DifyInnerStandIn) -> None:
    async def use(switchboard: Switchboard) -> None:
        for settings in (Settings.model_construct(), settings_of(key, it={"url": inner.url}), settings_of(key)):
            await switchboard.change(settings)
            if settings.backend:
                assert len(await ask(switchboard)) == 2
            else:
                with pytest.raises(CallRefused, match="no backend for them"):
                    await ask(switchboard)

    run(use)


def test_one_that_is_as_before_is_kept(key: Path, inner: DifyInnerStandIn) -> None:
    async def use(switchboard: Switchboard) -> None:
        await switchboard.change(settings_of(key, it={"url": inner.url}))
        before = switchboard.find(CALLER, "app")
        await switchboard.change(settings_of(key, it={"url": inner.url}, more={"url": "http://x"}))
        assert switchboard.find(CALLER, "app") is before
        # The configuration says the same, and the file another key.
        await asyncio.to_thread(key.write_text, "another")
        await switchboard.change(settings_of(key, it={"url": inner.url}))
        assert switchboard.find(CALLER, "app") is not before
        with pytest.raises(CallRefused, match="HTTP 404"):
            await ask(switchboard)

    run(use)


def test_a_call_under_way_keeps_its_own(key: Path, inner: DifyInnerStandIn) -> None:
    inner.streams["invoke/app"] = [{"n": 1}, Step.WAIT, {"n": 2}]

    async def use(switchboard: Switchboard) -> None:
        await switchboard.change(settings_of(key, it={"url": inner.url}))
        line = switchboard.find(CALLER, "app")
        async with aclosing(line.answer(CALLER, "app", {}, pieces(b""))) as items:
            assert await anext(items) == {"n": 1}
            await switchboard.change(settings_of(key))
            inner.go()
            assert [item async for item in items] == [{"n": 2}]
        await switchboard.close()
        # It is closed now.
        with pytest.raises(RuntimeError):
            await everything(line, "app", {})

    run(use)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": {"file": "/nowhere"}}, "backend_secret"),
        ({"ca_file": "/nowhere"}, "backend_ca_file"),
        ({"ca_file": "/dev/null"}, "backend_ca_file"),
    ],
)
def test_what_cannot_be_used_changes_nothing(
    key: Path, inner: DifyInnerStandIn, change: dict[str, Any], code: str
) -> None:
    async def use(switchboard: Switchboard) -> None:
        await switchboard.change(settings_of(key, it={"url": inner.url}))
        with pytest.raises(UsageError) as refused:
            await switchboard.change(settings_of(key, it={"url": inner.url}, other={"url": "http://x", **change}))
        assert refused.value.code == code
        assert len(await ask(switchboard)) == 2

    run(use)


# TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that is signed by nobody else, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "certificate.pem"
    path.write_bytes(private.private_bytes(pem, form, serialization.NoEncryption()) + made.public_bytes(pem))
    return path


def test_who_has_no_certificate_that_is_trusted_gets_no_key(key: Path, certificate: Path) -> None:
    server = DifyInnerStandIn()

    async def use(switchboard: Switchboard) -> None:
        await switchboard.change(settings_of(key, it={"url": server.url}))
        with pytest.raises(CallRefused, match=r"cannot be reached: self.signed certificate"):
            await ask(switchboard)
        assert server.asked == []
        await switchboard.change(settings_of(key, it={"url": server.url, "ca_file": str(certificate)}))
        assert len(await ask(switchboard)) == 2

    with standing_in(server, certificate):
        run(use)
