"""What a service manager says about the sockets that it hands over."""

import pytest

from endpointd.errors import UsageError
from endpointd.systemd.activation import Handed, handed_over


@pytest.mark.parametrize(
    "environment",
    [{}, {"LISTEN_FDS": "", "LISTEN_PID": "7"}, {"LISTEN_FDS": "1", "LISTEN_PID": "8"}, {"LISTEN_FDS": "1"}],
)
def test_nothing_is_handed_to_this_process(environment: dict[str, str]) -> None:
    assert handed_over(environment, 7) == []


def test_several_with_their_names() -> None:
    environment = {"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "http:"}
    assert handed_over(environment, 7) == [Handed(3, "http"), Handed(4, "")]


def test_names_are_not_needed() -> None:
    assert handed_over({"LISTEN_FDS": "1", "LISTEN_PID": "7"}, 7) == [Handed(3, "")]


@pytest.mark.parametrize(
    "said", [{"LISTEN_FDS": "-1"}, {"LISTEN_FDS": "65"}, {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"}]
)
def test_nonsense_is_refused(said: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be used") as caught:
        handed_over({"LISTEN_PID": "7"} | said, 7)
    assert caught.value.code == "sockets_invalid"
