"""Sealing: what is sealed can be read with the key, in its place, as it was; and not otherwise."""

import base64
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.sealing.keyring import KEY_BYTES, Key, Keyring, KeyUnknown, SealBroken

OLD, NEW = Key(b"o" * KEY_BYTES), Key(b"n" * KEY_BYTES)
RING = Keyring([OLD])


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.text(), max_size=3))
def test_what_is_sealed_is_read_in_its_place(text: str, place: list[str]) -> None:
    assert RING.unseal(RING.seal(text, *place), *place).rstrip(" ") == text.rstrip(" ")


def test_no_two_seals_are_alike() -> None:
    assert len({RING.seal("secret", "a") for _ in range(100)}) == 100


def test_lengths_are_rounded() -> None:
    assert {len(RING.seal("x" * length)) for length in range(1, 65)} == {len(RING.seal("x"))}


@given(st.data())
def test_no_character_can_be_changed(data: st.DataObject) -> None:
    sealed = RING.seal("secret", "a")
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != sealed[at]))
    with pytest.raises((SealBroken, KeyUnknown)):
        RING.unseal(sealed[:at] + other + sealed[at + 1 :], "a")


@pytest.mark.parametrize("cut", [0, 1, 10, 20, 30, -1, -4])
def test_nothing_can_be_cut_off(cut: int) -> None:
    with pytest.raises((SealBroken, KeyUnknown)):
        RING.unseal(RING.seal("secret")[:cut])


@pytest.mark.parametrize(
    ("place", "other"), [(("a", "b"), ("a", "c")), (("a", "b"), ("ab",)), (("a",), ("a", "")), (('a","b',), ("a", "b"))]
)
def test_a_seal_cannot_be_moved(place: tuple[str, ...], other: tuple[str, ...]) -> None:
    with pytest.raises(SealBroken):
        RING.unseal(RING.seal("secret", *place), *other)


def test_the_first_key_seals_and_all_unseal() -> None:
    both = Keyring([NEW, OLD])
    assert both.unseal(RING.seal("secret")).rstrip() == "secret"
    assert f":{NEW.id}:" in both.seal("secret")
    with pytest.raises(KeyUnknown) as caught:
        RING.unseal(both.seal("secret"))
    assert caught.value.key_id == NEW.id
    joined = Keyring([NEW]).joined(RING)
    assert (joined.first, joined.ids) == (NEW.id, frozenset({NEW.id, OLD.id}))


def test_a_key_that_is_called_by_anothers_name_breaks_the_seal() -> None:
    sealed = RING.seal("secret").replace(OLD.id, NEW.id)
    with pytest.raises(SealBroken):
        Keyring([NEW, OLD]).unseal(sealed)


def test_keys_are_made_by_chance_and_never_shown() -> None:
    key = Key.make()
    assert key != Key.make()
    assert len(key.id) == 16
    for shown in (repr(key), str(key), repr(Keyring([key])), key.id):
        assert repr(key.secret)[2:-1] not in shown
        assert key.secret.hex() not in shown
        assert base64.b64encode(key.secret).decode() not in shown


def test_errors_do_not_quote_what_was_sealed() -> None:
    sealed = RING.seal("s3cret", "a")
    with pytest.raises(SealBroken) as caught:
        RING.unseal(sealed, "b")
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_key_has_a_length_and_a_ring_a_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")
    with pytest.raises(ValueError, match="at least one"):
        Keyring([])
