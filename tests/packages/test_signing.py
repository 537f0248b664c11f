"""Signatures: in Dify's format, good for what was signed and nothing else, and trusted only by a configured key."""

import base64
import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from endpointd.errors import UsageError
from endpointd.packages.errors import PackageError
from endpointd.packages.keys import make_keys, private_key, sign, trusted_keys
from endpointd.packages.opening import Opened, look_into
from endpointd.packages.seal import VERIFICATION, Seal, read_seal, signed_text, write_seal
from endpointd.packages.signing import sign_package
from endpointd.packages.trust import Trust, enforce
from endpointd.packages.writing import Writer
from packages.conftest import Keys
from support.packages import LIMITS, package_of, zipped
from support.plugins import write_plugin


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("work")
    return package_of(write_plugin(folder, "duck", {"a.py": "A = 1", "b.py": "B = 2"}, [("GET", "/", "a.py")]))


@pytest.fixture(scope="module")
def signed(package: bytes, keys: Keys) -> bytes:
    return signature_of(package, keys)


def signature_of(package: bytes, keys: Keys, category: str = "partner") -> bytes:
    out = io.BytesIO()
    sign_package(io.BytesIO(package), out, keys.secret, category, LIMITS)
    return out.getvalue()


def look(package: bytes, *keys: Keys) -> Opened:
    return look_into(io.BytesIO(package), LIMITS, trusted_keys(one.public for one in keys))


def trust_in(package: bytes, *keys: Keys) -> Trust:
    return look(package, *keys).received.trust


def files_in(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as zip_file:
        return {name: zip_file.read(name) for name in zip_file.namelist()}


def written(files: dict[str, bytes], comment: bytes) -> bytes:
    out = io.BytesIO()
    writer = Writer(out)
    for name, content in files.items():
        writer.add(name, [content])
    writer.finish(comment)
    return out.getvalue()


def comment_of(package: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(package)) as zip_file:
        return zip_file.comment


def test_a_signed_package_is_trusted(signed: bytes, keys: Keys, other_keys: Keys) -> None:
    trust = trust_in(signed, other_keys, keys)

    assert (trust.fault, trust.signer) == (None, str(keys.public))
    assert (trust.is_signed, trust.category, trust.covers_names) == (True, "partner", True)


def test_the_signature_is_the_one_that_dify_describes(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    """Checked by OpenSSL, over bytes that are put together here."""
    document = json.loads(comment_of(signed))
    files = files_in(signed)
    text = b"".join(hashlib.sha256(content).digest() for content in files.values()) + str(document["time"]).encode()
    (tmp_path / "text").write_bytes(text)
    (tmp_path / "signature").write_bytes(base64.b64decode(document["signature"]))
    key = serialization.load_pem_public_key(keys.public.read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    openssl = ["openssl", "dgst", "-sha256", "-signature", "signature", "-verify", str(_spki(key, tmp_path)), "text"]

    assert list(document) == ["signature", "time"]
    assert list(files)[-1] == VERIFICATION
    assert json.loads(files[VERIFICATION])["authorized_category"] == "partner"
    assert subprocess.run(openssl, cwd=tmp_path, capture_output=True, check=True).stdout == b"Verified OK\n"


def _spki(key: rsa.RSAPublicKey, folder: Path) -> Path:
    path = folder / "key.pem"
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_bytes(serialization.Encoding.PEM, form))
    return path


def test_what_others_have_signed_is_trusted_and_said_not_to_cover_names(package: bytes, keys: Keys) -> None:
    """As Dify's tool does it: the file has the category alone."""
    files = {**files_in(package), VERIFICATION: b'{"authorized_category": "langgenius"}'}
    digests = [(name, hashlib.sha256(content).digest()) for name, content in files.items()]
    seal = Seal(sign(keys.secret, signed_text(digests, 1_700_000_000)), 1_700_000_000)
    trust = trust_in(written(files, write_seal(seal)), keys)

    assert (trust.fault, trust.covers_names, trust.category) == (None, False, "langgenius")


@pytest.mark.parametrize("name", ["a.py", "manifest.yaml", VERIFICATION])
def test_a_changed_content_is_not_trusted(name: str, signed: bytes, keys: Keys) -> None:
    files = files_in(signed)
    files[name] += b" "

    trust = trust_in(written(files, comment_of(signed)), keys)
    assert trust.fault is not None
    assert "none of the trusted keys" in trust.fault.message


def test_a_file_more_and_a_file_less_are_not_trusted(signed: bytes, keys: Keys) -> None:
    files, comment = files_in(signed), comment_of(signed)
    less = {name: content for name, content in files.items() if name != "b.py"}

    assert trust_in(written({**files, "evil.py": b""}, comment), keys).fault is not None
    assert trust_in(written(less, comment), keys).fault is not None


def test_files_that_have_changed_their_places_are_not_trusted(signed: bytes, keys: Keys) -> None:
    """Dify's signature alone is still good: it does not cover names."""
    renamed = {"a.py": "b.py", "b.py": "a.py"}
    files = {renamed.get(name, name): content for name, content in files_in(signed).items()}

    trust = trust_in(written(files, comment_of(signed)), keys)
    assert trust.fault is not None
    assert "other names" in trust.fault.message


def test_the_file_that_covers_names_cannot_be_renamed_away(signed: bytes, keys: Keys) -> None:
    renamed = {"a.py": "b.py", "b.py": "a.py", VERIFICATION: "notes.json"}
    files = {renamed.get(name, name): content for name, content in files_in(signed).items()}

    assert trust_in(written(files, comment_of(signed)), keys).fault is not None


def test_the_file_that_covers_names_is_called_as_it_is(signed: bytes, keys: Keys) -> None:
    files = {("notes.json" if name == VERIFICATION else name): content for name, content in files_in(signed).items()}

    assert trust_in(written(files, comment_of(signed)), keys).fault is not None


def test_the_signature_of_another_package_is_not_trusted(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    other = package_of(write_plugin(tmp_path, "goose", {"a.py": ""}, [("GET", "/", "a.py")]))

    assert trust_in(written(files_in(other), comment_of(signed)), keys).fault is not None


def test_another_time_is_not_trusted(signed: bytes, keys: Keys) -> None:
    seal = read_seal(comment_of(signed))
    assert seal is not None
    assert trust_in(written(files_in(signed), write_seal(Seal(seal.signature, seal.time + 1))), keys).fault is not None


def test_no_key_and_another_key_trust_nothing(signed: bytes, package: bytes, other_keys: Keys) -> None:
    for trust in (trust_in(signed), trust_in(signed, other_keys), trust_in(package, other_keys)):
        assert trust.fault is not None
    assert trust_in(package).is_signed is False


def test_a_package_that_is_signed_again_has_one_signature(signed: bytes, keys: Keys, other_keys: Keys) -> None:
    again = signature_of(signed, other_keys, "community")

    assert list(files_in(again)) == list(files_in(signed))
    assert trust_in(again, keys).fault is not None
    assert trust_in(again, other_keys).category == "community"


def test_signing_changes_the_identifier_and_not_what_is_signed(package: bytes, signed: bytes, keys: Keys) -> None:
    before, after = look(package, keys), look(signed, keys)

    assert before.identifier.startswith("test/duck:0.1.0@")
    assert before.identifier != after.identifier
    assert json.loads(files_in(signed)[VERIFICATION])["checksum"] == before.received.checksum


@pytest.mark.parametrize(
    "comment",
    [
        b"", b"a note", b"[]", b"{}", b'{"signature": 1, "time": 1}', b'{"signature": "?", "time": 1}', b"\xff" * 50,
        b'{"signature": "AAAA", "time": true}', b'{"signature": "AAAA", "time": -1}', b"[" * 4000, b'{"a":' * 3000,
    ],
)  # fmt: skip
def test_a_comment_that_is_no_signature_is_none(comment: bytes, package: bytes, keys: Keys) -> None:
    assert read_seal(comment) is None
    assert trust_in(written(files_in(package), comment), keys).is_signed is False


# Policies


def test_policies(package: bytes, signed: bytes, keys: Keys) -> None:
    good, bad = trust_in(signed, keys), trust_in(package, keys)

    assert enforce("require", good) == enforce("warn", good) == enforce("off", good) == enforce("off", bad) == []
    (warning,) = enforce("warn", bad)
    assert "not signed" in warning
    with pytest.raises(PackageError) as refused:
        enforce("require", bad)
    assert refused.value.code == "package_untrusted"


# Keys


def test_a_secret_key_is_nobodys_to_read_and_is_not_overwritten(tmp_path: Path, keys: Keys) -> None:
    assert keys.private.stat().st_mode & 0o777 == 0o600
    assert keys.private.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert keys.public.read_text().startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert keys.secret.key_size == 4096
    (tmp_path / "x.public.pem").touch()
    with pytest.raises(UsageError, match="key_exists"):
        make_keys(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x.public.pem"]


def test_keys_that_cannot_be_used(tmp_path: Path, keys: Keys) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    curve = ec.generate_private_key(ec.SECP256R1())
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    pkcs8, spki = serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
    secret = serialization.BestAvailableEncryption(b"word")
    private = [b"", b"x", keys.public.read_bytes(), small.private_bytes(pem, pkcs8, none)]
    private += [curve.private_bytes(pem, pkcs8, none), keys.secret.private_bytes(pem, pkcs8, secret)]
    public = [b"", b"x", keys.private.read_bytes(), keys.public.read_bytes() * 2, b"x" * 70_000]
    public += [small.public_key().public_bytes(pem, spki), curve.public_key().public_bytes(pem, spki)]
    path = tmp_path / "key"
    for text in private:
        path.write_bytes(text)
        with pytest.raises(UsageError, match="key_unusable"):
            private_key(path)
    for text in public:
        path.write_bytes(text)
        with pytest.raises(UsageError, match="key_unusable"):
            trusted_keys([path])
    with pytest.raises(UsageError, match="No such file"):
        trusted_keys([tmp_path / "none"])


def test_a_package_that_is_no_plugin_is_told(keys: Keys) -> None:
    with pytest.raises(PackageError, match=r"manifest\.yaml"):
        look(zipped(("readme", b"x")), keys)
