"""Backends on servers that stand in; each is one for all tests of a file, and as new for each of them."""

from collections.abc import Iterator

import pytest

from support.stand_in import standing_in
from support.stand_in_dify import DifyApiStandIn, DifyInnerStandIn
from support.stand_in_openai import OpenAiStandIn


@pytest.fixture(scope="module")
def inner_server() -> Iterator[DifyInnerStandIn]:
    server = DifyInnerStandIn()
    with standing_in(server):
        yield server


@pytest.fixture
def inner(inner_server: DifyInnerStandIn) -> DifyInnerStandIn:
    inner_server.reset()
    return inner_server


@pytest.fixture(scope="module")
def public_server() -> Iterator[DifyApiStandIn]:
    server = DifyApiStandIn()
    with standing_in(server):
        yield server


@pytest.fixture
def public(public_server: DifyApiStandIn) -> DifyApiStandIn:
    public_server.reset()
    return public_server


@pytest.fixture(scope="module")
def openai_server() -> Iterator[OpenAiStandIn]:
    server = OpenAiStandIn()
    with standing_in(server):
        yield server


@pytest.fixture
def openai(openai_server: OpenAiStandIn) -> OpenAiStandIn:
    openai_server.reset()
    return openai_server
