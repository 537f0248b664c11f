"""Keys, made once: one takes a second."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from endpointd.packages.keys import make_keys, private_key


@dataclass(frozen=True)
class Keys:
    private: Path
    public: Path

    @property
    def secret(self) -> rsa.RSAPrivateKey:
        return private_key(self.private)


def new_keys(folder: Path, name: str) -> Keys:
    return Keys(*make_keys(folder / name))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return new_keys(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return new_keys(tmp_path_factory.mktemp("keys"), "theirs")
