"""Backends in the configuration: what is refused, and how; who is asked for what; where secrets come from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from endpointd.backends.choosing import ANSWERS, NAMES, choose
from endpointd.backends.secrets import fetched
from endpointd.cli.configuration import load
from endpointd.errors import UsageError
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.permissions import NEEDS
from endpointd.settings.settings import Settings

SECRET = "sk-in-clear-0815"

THREE = """\
[backend.models]
type = "openai"
url = "http://127.0.0.1:11434/v1/"

[backend.dify]
type = "dify-inner"
url = "http://127.0.0.1:5001"
key = { file = "inner.key" }
tenant = "t-1"

[backend.apps]
type = "dify-api"
url = "https://api.dify.ai/v1"
[backend.apps.apps."a-1"]
key = { env = "A_KEY" }
[backend.apps.apps."a-2"]
key = { credential = "a-2" }
mode = "workflow"
"""


def settings_of(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "endpointd.toml"
    file.write_text(text)
    return load({"config": str(file)}).settings


def test_backends_are_read(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, THREE)
    assert [backend.type for backend in settings.backend.values()] == ["openai", "dify-inner", "dify-api"]
    assert settings.backend["models"].url == "http://127.0.0.1:11434/v1"
    assert settings.backend["dify"].key is not None  # type: ignore[union-attr]
    # What a file names is beside it.
    assert settings.backend["dify"].key.name == str(tmp_path / "inner.key")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ('url = "http://x"', "backend.b has no type that there is", 'write type = "dify-inner" or'),
        ('type = "ollama"\nurl = "http://x"', "backend.b has no type that there is", 'type = "openai"'),
        ('type = "openai"', "backend.b.url is missing", "give a URL"),
        (
            'type = "dify-inner"\nurl = "http://x"\ntenant = "t"',
            "backend.b.key is missing",
            'give { file = "PATH" }, { env = "VARIABLE" } or { credential = "NAME" }',
        ),
        (f'type = "openai"\nurl = "http://x"\nkey = "{SECRET}"', "a secret is not written", "give { file"),
        (f'type = "openai"\nurl = "http://x"\nkey = {{ value = "{SECRET}" }}', "in one way where", "give { file"),
        ('type = "openai"\nurl = "http://x"\nkey = { env = "" }', "'env' names nothing", "give { file"),
        (f'type = "openai"\nurl = "http://u:{SECRET}@x"', "have no place in it", "give a URL"),
        ('type = "openai"\nurl = "ftp://x"', "it begins with http://", "give a URL"),
        ('type = "openai"\nurl = "http://x?a=b"', "neither query nor fragment", "give a URL"),
        ('type = "openai"\nurl = "http://x"\nclock_idle = 300', "backend.b.clock_idle cannot be used", "up to 240"),
        ('type = "openai"\nurl = "http://x"\nclock_idle = 0', "backend.b.clock_idle cannot be used", "above 0"),
        ('type = "openai"\nurl = "http://x"\nclok_idle = 3', "no setting backend.b.clok_idle", "did you mean clock_i"),
        ('type = "dify-api"\nurl = "http://x"', "backend.b.apps is missing", "a table for each app id"),
        ('type = "dify-api"\nurl = "http://x"\napps = {}', "backend.b.apps cannot be used", "a table for each app"),
        (
            'type = "dify-api"\nurl = "http://x"\n[backend.b.apps."a 1"]\nmode = "chat"',
            'backend.b.apps."a 1".key is missing',
            "give { file",
        ),
        (
            'type = "dify-api"\nurl = "http://x"\n[backend.b.apps.a]\nkey = { env = "A" }\nmode = "agent"',
            "backend.b.apps.a.mode cannot be used",
            "give chat, completion, workflow",
        ),
        (
            'type = "dify-api"\nurl = "http://x"\nupload_app = "a2"\n[backend.b.apps.a1]\nkey = { env = "A" }',
            "backend.b.upload_app is 'a2', which is none of its apps",
            "use one of a1",
        ),
    ],
)
def test_what_a_backend_cannot_be_is_explained(tmp_path: Path, text: str, fault: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings_of(tmp_path, f"[backend.b]\n{text}\n")
    assert fault in str(refused.value)
    assert remedy in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ('[calls]\nllm = "modles"', "calls.llm is 'modles', and there is no such backend", "did you mean 'models'?"),
        ('[calls]\napp = "models"', "calls.app is 'models', which is of the type openai", "dify-inner or dify-api"),
        ('[calls]\nlmm = "models"', "there is no setting calls.lmm", "did you mean llm?"),
        ("[calls]\nllm = 3", "calls.llm cannot be used", "give the name of a backend, or none"),
        (
            '[plugin."acme/bot".calls]\ntool = "apps"',
            "plugin.\"acme/bot\".calls.tool is 'apps', which is of the type dify-api",
            "name one of the type dify-inner",
        ),
        ('[backend.none]\ntype = "openai"\nurl = "http://x"', "a backend cannot be called 'none'", "another name"),
    ],
)
def test_a_choice_that_cannot_be_is_explained(tmp_path: Path, text: str, fault: str, remedy: str) -> None:
    with pytest.raises(UsageError) as refused:
        settings_of(tmp_path, f"{THREE}\n{text}\n")
    assert fault in str(refused.value)
    assert remedy in str(refused.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = '[backend.a]\ntype = "openai"\nurl = "x"\nclock_idle = -1\n[backend.b]\ntype = "openai"\n'
    with pytest.raises(UsageError) as refused:
        settings_of(tmp_path, text)
    assert len(str(refused.value).splitlines()) == 3


def test_variables_and_flags_hold_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINTD_BACKEND", "{}")
    with pytest.raises(UsageError, match="tables cannot be written in a variable"):
        settings_of(tmp_path, "")


# Who is asked


def test_every_kind_of_call_can_be_chosen_for() -> None:
    assert set(NAMES) == set(NEEDS) - {"storage"} == ANSWERS["dify-inner"]


def chosen(settings: Settings, kind: str, plugin: str = "acme/bot") -> str:
    try:
        return choose(settings, plugin, kind)
    except CallRefused as refused:
        return f"{refused.code}: {refused.text}"


def test_the_first_that_can_is_asked(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, THREE)
    kinds = ("llm", "system_summary", "tool", "app", "upload_file", "multimodal_rerank", "node_parameter_extractor")
    assert [chosen(settings, kind) for kind in kinds] == ["models", "models", *["dify"] * 5]


def test_what_is_nearer_wins(tmp_path: Path) -> None:
    text = """
[calls]
model = "dify"
tts = "models"
app = "apps"
[plugin."acme/bot".calls]
llm = "models"
app = "none"
"""
    settings = settings_of(tmp_path, THREE + text)
    assert [chosen(settings, kind) for kind in ("llm", "tts", "rerank")] == ["models", "models", "dify"]
    assert [chosen(settings, kind, "acme/other") for kind in ("llm", "app")] == ["dify", "apps"]
    assert chosen(settings, "fetch_app") == (
        "unconfigured: nothing answers calls of the kind fetch_app for acme/bot: the configuration says so (app ="
        " 'none' below calls)"
    )


def test_who_is_not_able_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, THREE + '[calls]\nmodel = "models"\n')
    assert "'models', which is configured for them, is of the type openai and cannot" in chosen(
        settings, "multimodal_embedding"
    )


def test_without_a_backend_it_is_said_what_to_write(tmp_path: Path) -> None:
    said = chosen(settings_of(tmp_path, ""), "app")
    assert said.startswith("unconfigured: nothing answers calls of the kind app for acme/bot: the configuration")
    assert said.endswith('write a table [backend.NAME] with type = "dify-inner" or type = "dify-api"')


# Secrets


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "inner.key").write_text("one\n")
    (tmp_path / "a-2").write_text("three")
    return {"A_KEY": " two ", "CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_secrets_are_fetched(tmp_path: Path, places: Mapping[str, str]) -> None:
    settings = settings_of(tmp_path, THREE)
    assert fetched(settings.backend, places) == {
        "models": {},
        "dify": {"key": "one"},
        "apps": {'apps."a-1".key': "two", 'apps."a-2".key': "three"},
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"A_KEY": None}, 'backend.apps.apps."a-1".key = { env = "A_KEY" }: there is no such environment variable'),
        ({"A_KEY": ""}, "it is empty"),
        ({"A_KEY": "two words"}, "what is there cannot be a key"),
        ({"A_KEY": "a\nb"}, "what is there cannot be a key"),
        ({"A_KEY": "schlüssel"}, "what is there cannot be a key"),
        ({"CREDENTIALS_DIRECTORY": None}, "systemd has given this process no credentials"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "cannot be read: No such file or directory"),
    ],
)
def test_a_secret_that_is_not_there_is_named(
    tmp_path: Path, places: dict[str, str], change: Mapping[str, Any], fault: str
) -> None:
    environment = {name: value for name, value in {**places, **change}.items() if value is not None}
    with pytest.raises(UsageError) as refused:
        fetched(settings_of(tmp_path, THREE).backend, environment)
    assert refused.value.code == "backend_secret"
    assert fault in refused.value.message
    assert "two words" not in str(refused.value)


def test_all_secrets_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        fetched(settings_of(tmp_path, THREE).backend, {})
    assert refused.value.message.count("backend.") == 3
