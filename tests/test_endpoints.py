"""What a hook id stands for."""

import pytest

from endpointd.endpoints import Endpoint
from endpointd.endpoints.own import own_endpoint
from endpointd.manifest.model import Group, Plugin, Setting, SettingType
from endpointd_wire.frames import unpack_value

NAME = Setting("name", SettingType.TEXT_INPUT, default="Donald")
LOUD = Setting("loud", SettingType.BOOLEAN, required=True, default=False)
KEY = Setting("key", SettingType.SECRET_INPUT, required=True)


def plugin(*settings: Setting) -> Plugin:
    return Plugin(name="duck", version="0.1.0", groups=(Group("group.yaml", settings),), author="someone")


def test_an_endpoint_has_the_defaults_and_what_was_given_over_them() -> None:
    endpoint = Endpoint.make("hook", plugin(NAME, LOUD, KEY), {"key": "secret", "loud": True})
    assert (endpoint.hook_id, endpoint.plugin_id) == ("hook", "someone/duck")
    assert unpack_value(endpoint.settings) == {"name": "Donald", "loud": True, "key": "secret"}


@pytest.mark.parametrize("settings", [(), (NAME,), (NAME, LOUD)])
def test_a_plugin_that_needs_nothing_has_an_endpoint_at_its_name(settings: tuple[Setting, ...]) -> None:
    endpoint = own_endpoint(plugin(*settings), {})
    assert endpoint is not None
    assert endpoint.hook_id == "duck"
    assert unpack_value(endpoint.settings) == {setting.name: setting.default for setting in settings}


def test_a_plugin_that_needs_a_setting_has_none() -> None:
    assert own_endpoint(plugin(NAME, KEY), {}) is None
    assert own_endpoint(plugin(NAME, KEY), {"key": 1}) is None


def test_what_a_plugin_needs_may_be_given() -> None:
    endpoint = own_endpoint(plugin(NAME, KEY), {"key": "secret", "declared no more": True})
    assert endpoint is not None
    assert unpack_value(endpoint.settings) == {"name": "Donald", "key": "secret"}
