"""Names that endpoints get when nobody has chosen one."""

import secrets
import string
import uuid

_HOOK_ID_CHARACTERS = string.ascii_lowercase + string.digits


def new_id() -> str:
    return uuid.uuid4().hex


def new_hook_id() -> str:
    """16 characters by chance, 82 bits: who does not know a hook id cannot guess it."""
    return "".join(secrets.choice(_HOOK_ID_CHARACTERS) for _ in range(16))
