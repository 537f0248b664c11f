"""The store keeps tokens as they are given, in SQLite and in PostgreSQL."""

from dataclasses import replace

import pytest

from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.errors import TokenNameTaken, TokenUnknown
from store.conftest import Place, opened, refused, token


def test_tokens_are_added_and_removed_and_come_back_the_oldest_first(place: Place) -> None:
    first, second = token(created_at=1.0), token(created_at=2.0, expires_at=3.25)
    with opened(place) as store:
        assert store.tokens.all() == []
        store.tokens.add(second)
        store.tokens.add(first)
    with opened(place) as store:
        assert store.tokens.all() == [first, second]
        store.tokens.remove(first.id)
    with opened(place) as store:
        assert store.tokens.all() == [second]


def test_a_name_is_one_tokens_alone(store: EndpointStore) -> None:
    one = token()
    store.tokens.add(one)
    with refused("token_exists", TokenNameTaken):
        store.tokens.add(token(name=one.name))
    assert store.tokens.all() == [one]
    store.tokens.remove(one.id)
    store.tokens.add(token(name=one.name))


def test_what_is_not_there_is_not_removed(store: EndpointStore) -> None:
    with refused("token_unknown", TokenUnknown):
        store.tokens.remove("0" * 32)


def test_what_others_have_changed_is_told(place: Place) -> None:
    one = token()
    with opened(place) as store:
        store.tokens.add(one)
        place.ask(f"UPDATE tokens SET name = 'two words' WHERE id = '{one.id}'")
        with refused("token_damaged"):
            store.tokens.all()


@pytest.mark.parametrize(
    "changes", [{"name": ""}, {"name": "two words"}, {"name": "-x"}, {"name": "a" * 65}, {"hash": "0"}, {"id": "1"}]
)
def test_some_cannot_be_tokens(changes: dict[str, str]) -> None:
    one = token(name="A-name_1.x@host")
    with pytest.raises(ValueError, match="none"):
        replace(one, **changes)  # type: ignore[arg-type]
    assert one.hash not in repr(one)
