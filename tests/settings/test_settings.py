"""Settings: each reachable from file, environment and flag, in that order of weight; every fault explained."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from endpointd.cli.configuration import SettingsError, load
from endpointd.cli.reference import updated
from endpointd.errors import UsageError
from endpointd.settings.headings import single_settings
from endpointd.settings.names import flag_of, variable_of
from endpointd.settings.plugin_limits import PluginLimits, SharedLimits
from endpointd.settings.settings import Settings
from endpointd.settings.types import form_of, written
from endpointd.sockets.addresses import split_listen

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"
NAMES = [name for name, _ in single_settings() if name != "config"]

# For each form, as TOML: a value for the file, one for the environment, one for the flag. Each differs from the one
# it has to win over, and from the default where a form allows.
VALUES = {
    "DIR": ('"/from/file"', '"/from/environment"', '"/from/flag"'),
    "DATABASE": ('"sqlite:////from/file"', '"postgresql://environment/name"', '"postgresql://flag@host/name"'),
    "YAML": ('"/from/file"', '"/from/environment"', '"/from/flag"'),
    "KEYFILE": ('"/from/file"', '"/from/environment"', '"/from/flag"'),
    "FILE": ('"/from/file"', '"/from/environment"', '"/from/flag"'),
    "ADDRESSES": ('["10.0.0.1:1", "unix:/from/file"]', '"[::1]:2"', '"localhost:3,[::1]:3"'),
    "MODE": ('"0600"', '"0666"', '"770"'),
    "1.2|1.3": ('"1.2"', '"1.3"', '"1.2"'),
    "x-forwarded|forwarded": ('"x-forwarded"', '"forwarded"', '"x-forwarded"'),
    "HOST:PORT": ('"10.0.0.1:1"', '"[::1]:2"', '"localhost:3"'),
    "URL": ('"http://file.example"', '"https://environment.example/base"', '"http://flag.example:8000"'),
    "NETWORKS": ('["10.0.0.0/8"]', '"127.0.0.0/8,fd00::/8"', '"192.168.0.0/16"'),
    "ORIGINS": ('["https://a.example"]', '"https://b.example"', '"https://c.example,http://localhost:3000"'),
    "RATE": ('"5/s"', '"100/min"', '"7/s"'),
    "PATHS": ('["/from/file", "/too"]', '"/from/environment"', '"/from/flag,/too"'),
    "PLACES": ('["/from/file", "/too"]', '"/from/environment"', '"https://from.example/flag,/too"'),
    "auto|console|json": ('"console"', '"json"', '"auto"'),
    "debug|info|warning|error": ('"debug"', '"error"', '"warning"'),
    "LOGFILE": ('"/from/file"', '"/from/environment"', '"/from/flag"'),
    "SIZE": ("2000", '"3KiB"', '"7MiB"'),
    "N": ("11", "12", "13"),
    "SECONDS": ("1.5", "2", "3.25"),
    "true|false": ("true", "false", "true"),
    "off|warn|require": ('"off"', '"require"', '"warn"'),
    "always|on-demand": ('"on-demand"', '"always"', '"on-demand"'),
    "auto|poll|off": ('"poll"', '"off"', '"poll"'),
    "started|settled|running": ('"settled"', '"running"', '"started"'),
    "continue|link": ('"link"', '"continue"', '"link"'),
    "NAME": ('"alice"', '"1001"', '"bob"'),
}


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "endpointd.toml"


def problems_of(flags: Mapping[str, object]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(flags)
    return [str(problem) for problem in caught.value.problems]


def as_text(toml: str) -> str:
    """The value of a TOML literal as a variable or a flag holds it."""
    value = tomllib.loads(f"value = {toml}")["value"]
    return written(tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("name", NAMES)
def test_flag_wins_over_environment_over_file_over_default(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file, in_environment, as_flag = VALUES[form_of(Settings.model_fields[name]).metavar]
    flags: dict[str, object] = {"config": str(file)}
    file.write_text("")

    def effective() -> tuple[str, str]:
        configuration = load(flags)
        return written(getattr(configuration.settings, name)), configuration.origins[name]

    assert effective() == (written(Settings.model_fields[name].default), "default")
    file.write_text(f"{name} = {in_file}\n")
    assert effective() == (as_text(in_file), str(file))
    monkeypatch.setenv(variable_of(name), as_text(in_environment))
    assert effective() == (as_text(in_environment), variable_of(name))
    flags[name] = as_text(as_flag)
    assert effective() == (as_text(as_flag), flag_of(name))


def test_the_file_may_be_named_by_the_environment_and_the_flag_wins(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.toml"
    file.write_text("queue_size = 1")
    other.write_text("queue_size = 2")
    monkeypatch.setenv("ENDPOINTD_CONFIG", str(file))
    assert load({}).settings.queue_size == 1
    assert load({"config": str(other)}).settings.queue_size == 2


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINTD_QUEUE_SIZE", "")
    configuration = load({})
    assert (configuration.settings.queue_size, configuration.origins["queue_size"]) == (512, "default")


def test_the_url_of_a_database_is_shown_without_its_password(file: Path) -> None:
    url = "postgresql://me:p@ss/wo:rd@host/name?sslpassword=other&x=1"
    settings = load({"database": url}).settings
    assert settings.database is not None
    assert settings.database.url == url
    shown = "postgresql://me:********@host/name?sslpassword=********&x=1"
    assert str(settings.database) == settings.model_dump(mode="json")["database"] == shown
    assert "p@ss" not in repr(settings)
    file.write_text('database = "mysql://me:s3cret@host/name"')
    [problem] = problems_of({"config": str(file)})
    assert problem.startswith(f"{file}: database cannot be used: it begins with sqlite:////")
    assert "s3cret" not in problem


def test_the_places_of_packages_are_shown_without_their_passwords() -> None:
    index, links = "https://me:s3cret@pypi.example/simple", "https://s3cret@files.example/,/srv/wheels"
    settings = load({"uv_index_url": index, "uv_find_links": links}).settings
    assert settings.uv_index_url is not None
    assert settings.uv_index_url.text == index
    assert [place.text for place in settings.uv_find_links] == links.split(",")
    assert "s3cret" not in repr(settings) + settings.model_dump_json() + written(settings.uv_find_links)
    assert "https://********@pypi.example/simple" in settings.model_dump_json()
    assert "uv_index_url cannot be used" in problems_of({"uv_index_url": "pypi.org"})[0]


@pytest.mark.parametrize("url", ["endpointd.db", "sqlite:///relative", "sqlite://", "postgres://host/name", ""])
def test_what_is_no_url_of_a_database_is_refused(url: str) -> None:
    assert "database cannot be used" in problems_of({"database": url})[0]


def test_relative_paths_in_the_file_begin_at_its_folder(file: Path) -> None:
    file.write_text('plugins = "mine"\nstate = "/var/lib/endpointd"\nsecret_key = "key"\nendpoints_file = "e.yaml"')
    settings = load({"config": str(file)}).settings
    assert (settings.plugins, settings.state) == (file.parent / "mine", Path("/var/lib/endpointd"))
    assert settings.secret_key == file.parent / "key"
    assert settings.endpoints_file == file.parent / "e.yaml"
    assert load({"config": str(file), "plugins": "mine"}).settings.plugins == Path("mine")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("clock_queue", "-1", "greater than or equal to 0"),
        ("clock_queue", "nan", "greater than or equal to 0"),
        ("clock_queue", "inf", "less than or equal to"),
        ("clock_total", "soon", "valid number"),
        ("concurrency", "0", "greater than or equal to 1"),
        ("concurrency", "1.5", "valid integer"),
        ("queue_size", "-1", "greater than or equal to 0"),
        ("limit_body", "-1", "could not parse"),
        ("limit_body", "0", "greater than or equal to 1"),
        ("limit_body", "12parsec", "parsec"),
        ("limit_connections", "0", "greater than or equal to 1"),
        ("nice", "-1", "greater than or equal to 0"),
        ("nice", "20", "less than or equal to 19"),
        ("limit_files", "-1", "greater than or equal to 0"),
        ("user", "two words", "neither blanks nor colons"),
        ("user", " ", "neither blanks nor colons"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("log_format", "xml", "'auto', 'console' or 'json'"),
        ("development", "maybe", "valid boolean"),
        ("listen", "8080", "host, a colon and a port"),
        ("listen", ":8080", "host, a colon and a port"),
        ("listen", "::1:8080", "host, a colon and a port"),
        ("listen", "[::g]:80", "not an IPv6 address"),
        ("listen", "localhost:65536", "at most 65535"),
        ("listen", ",", "at least one address"),
        ("listen", "unix:http.sock", "an absolute path"),
        ("listen", "[::1]:1,[::1]:1", "there twice"),
        ("listen_mode", "rw", "octal digits"),
        ("tls_minimum", "1.1", "1.2 or 1.3"),
        ("public_url", "ftp://example.org", "http:// or https://"),
        ("public_url", "https://", "http:// or https://"),
        ("public_url", "https://example.org/?a=1", "neither query nor fragment"),
        ("public_url", "http://[::1", "IPv6"),
        ("trusted_proxies", "10.0.0.1/8", "network"),
        ("trusted_proxies", "localhost", "network"),
    ],
)
@pytest.mark.parametrize("source", ["flag", "environment", "file"])
def test_a_bad_value_is_explained_with_name_source_value_and_remedy(
    name: str, text: str, reason: str, source: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(f'{name} = "{text}"' if source == "file" else "")
    if source == "environment":
        monkeypatch.setenv(variable_of(name), text)
    flags = {"config": str(file)} | ({name: text} if source == "flag" else {})
    [problem] = problems_of(flags)
    origin = {"flag": flag_of(name), "environment": variable_of(name), "file": str(file)}[source]
    assert problem.startswith(f"{origin}: {name} = '{text}' cannot be used: ")
    assert reason in problem
    assert problem.endswith(f"; give {form_of(Settings.model_fields[name]).accepts} [setting_invalid]")


@pytest.mark.parametrize("name", ["clock_queue", "concurrency", "limit_body", "queue_size"])
def test_a_boolean_in_the_file_is_not_a_number(name: str, file: Path) -> None:
    file.write_text(f"{name} = true")
    assert "a boolean is not a number" in problems_of({"config": str(file)})[0]


def test_a_bare_number_is_not_a_network(file: Path) -> None:
    file.write_text("trusted_proxies = [5]")
    assert "trusted_proxies" in problems_of({"config": str(file)})[0]
    file.write_text("trusted_proxies = 5")
    assert "a list of addresses is needed" in problems_of({"config": str(file)})[0]


def test_all_problems_are_told_at_once() -> None:
    assert len(problems_of({"clock_queue": "x", "queue_size": "y", "listen": "z"})) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("clock_que = 1", "there is no setting clock_que; did you mean clock_queue?"),
        ("quux = 1", "there is no setting quux; 'endpointd serve --help' lists the settings"),
        (
            '[plugin."a/b"]\nconcurency = 1',
            'there is no setting plugin."a/b".concurency; did you mean concurrency?',
        ),
        (
            '[plugin."a/b"]\nlisten = "x:1"',
            'there is no setting plugin."a/b".listen; listen holds for the whole daemon: move it above',
        ),
        ('[plugin."a/b"]\nclock_idle = -1', 'plugin."a/b".clock_idle = -1 cannot be used'),
        ("plugin = 3", "plugin = 3 cannot be used"),
        ('plugin = "a/b"', "tables cannot be written in a variable"),
        ('[plugin]\n"a/b" = 3', 'plugin."a/b" = 3 cannot be used'),
        ('[plugin."a/b".env]\n"A=B" = "x"', "'A=B' is not a name of an environment variable"),
        ('[plugin."a/b".env]\nA = "x\\u0000"', "the value of A contains a NUL character"),
    ],
)
def test_a_wrong_key_names_the_file_and_the_near_miss(text: str, problem: str, file: Path) -> None:
    file.write_text(text)
    [told] = problems_of({"config": str(file)})
    assert told.startswith(f"{file}: ")
    assert problem in told


def test_values_for_a_plugins_environment_are_not_told(file: Path) -> None:
    file.write_text('[plugin."a/b".env]\nTOKEN = 4711\nOTHER = "s3cret\\u0000"')
    told = "\n".join(problems_of({"config": str(file)}))
    assert "TOKEN" in told
    assert "4711" not in told
    assert "s3cret" not in told


def test_representations_do_not_tell_a_plugins_environment() -> None:
    settings = Settings(plugin={"a/b": PluginLimits(env={"TOKEN": "s3cret"})})
    assert "s3cret" not in repr(settings) + repr(settings.for_plugin("a/b"))


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, "config_unreadable", "No such file"),
        (b"listen = \nstate = 1", "config_malformed", "line 1"),
        (b"a = '\xff'", "config_malformed", "not UTF-8 text (byte 5)"),
        (b"clock_idle = " + b"9" * 5000, "config_malformed", "Exceeds the limit"),
        (b"clock_idle = 0x" + b"f" * 5000, "config_malformed", "more than 64 bits"),
        (b"listen = " + b"[" * 3000 + b"]" * 3000, "config_malformed", "nested more than 50 levels"),
        (b"backend." + b"a." * 3000 + b"a = 1", "config_malformed", "nested more than 50 levels"),
        (b"config = 'other.toml'", "config_nested", "cannot name another"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content: bytes | None, code: str, said: str, file: Path) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load({"config": str(file)})
    assert caught.value.code == code
    assert str(file) in caught.value.message
    assert said in caught.value.message


def test_a_directory_is_not_a_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        load({"config": str(tmp_path)})


def test_a_variable_that_is_nearly_a_setting_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINTD_CLOCK_QUEU", "1")
    monkeypatch.setenv("ENDPOINTD_BY_SOMEONE_ELSE", "1")
    assert load({}).warnings == (
        "the environment variable ENDPOINTD_CLOCK_QUEU sets nothing; did you mean ENDPOINTD_CLOCK_QUEUE?",
    )


def test_tables_cannot_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINTD_PLUGIN", '{"a/b": {"concurrency": 1}}')
    [problem] = problems_of({})
    assert problem.startswith("ENDPOINTD_PLUGIN: plugin = ")
    assert "in the configuration file only" in problem


def test_a_plugins_own_table_wins_and_the_rest_is_common(file: Path) -> None:
    file.write_text(
        """
        concurrency = 5
        clock_idle = 7
        [plugin."acme/reports"]
        concurrency = 1
        clock_first_byte = 600
        env = { HOME = "/srv" }
        """
    )
    settings = load({"config": str(file), "clock_idle": "8"}).settings
    own = settings.for_plugin("acme/reports")
    assert (own.concurrency, own.clock_first_byte, own.clock_idle, own.env) == (1, 600, 8, {"HOME": "/srv"})
    other = settings.for_plugin("acme/other")
    assert (other.concurrency, other.clock_first_byte, other.clock_idle, other.env) == (5, 60, 8, {})


@pytest.mark.parametrize("name", SharedLimits.model_fields)
def test_every_shared_limit_can_be_set_for_one_plugin(name: str, file: Path) -> None:
    value = VALUES[form_of(Settings.model_fields[name]).metavar][0]
    file.write_text(f'[plugin."a/b"]\n{name} = {value}')
    settings = load({"config": str(file)}).settings
    assert written(getattr(settings.for_plugin("a/b"), name)) == as_text(value)
    assert getattr(settings.for_plugin("a/c"), name) == Settings.model_fields[name].default


def test_settings_never_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.queue_size = 1
    with pytest.raises(ValidationError, match="frozen"):
        settings.for_plugin("a/b").queue_size = 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8080", ("::1", 8080)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("localhost:65535", ("localhost", 65_535)),
    ],
)
def test_listen_addresses_are_split(text: str, address: tuple[str, int]) -> None:
    assert split_listen(text) == address
    assert load({"listen": text}).settings.listen == (text,)


def test_the_number_of_a_user_needs_no_quotes(file: Path) -> None:
    file.write_text('user = 1001\n[plugin."a/b"]\ngroup = 1002\n')
    limits = load({"config": str(file)}).settings.for_plugin("a/b")
    assert (limits.user, limits.group) == ("1001", "1002")
    file.write_text("user = true")
    assert "valid string" in str(problems_of({"config": str(file)}))


def test_a_public_url_loses_its_last_slash() -> None:
    assert load({"public_url": "https://example.org/hooks/"}).settings.public_url == "https://example.org/hooks"


def test_sizes_are_written_exactly() -> None:
    for text, size in (("1000", 1000), ("1.5MiB", 1_572_864), ("64kb", 64_000), ("2GiB", 2**31)):
        settings = load({"limit_body": text}).settings
        assert settings.limit_body == size
        assert load({"limit_body": written(settings.limit_body)}).settings.limit_body == size


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert form_of(field).accepts


def test_the_documentation_shows_the_declaration() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert updated(text) == text, "run `make docs`"
    assert all(f"| `{name}` |" in text for name, _ in single_settings())


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs the lines"):
        updated("# Configuration\n")
