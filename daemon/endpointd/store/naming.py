"""Random ids and hook ids for endpoints."""

import secrets
import string
import uuid

_HOOK_ID_CHARACTERS = string.ascii_lowercase + string.digits


def new_id() -> str:
    return uuid.uuid4().hex


def new_hook_id() -> str:
    """16 random characters, which are 82 bits, so that a hook id cannot be guessed."""
    return "".join(secrets.choice(_HOOK_ID_CHARACTERS) for _ in range(16))
