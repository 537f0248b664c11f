"""A folder of files, written whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from endpointd.errors import OperatorError, UsageError


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Make `folder` with these files in it; the folder around it is there already.

    They are written beside it under a hidden name, which the daemon passes over, and renamed when they are complete.
    UsageError: something of this name is there. OperatorError: the system refuses. Nothing is left over then.
    """
    # A folder that is made between here and the renaming is only replaced when it is empty.
    if os.path.lexists(folder):
        raise UsageError("folder_exists", f"{folder} is there already", "choose another name or another --directory")
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        for name, text in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_text(text, encoding="utf-8")
        draft.rename(folder)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError):
            message = f"{folder} cannot be written: {error.strerror}"
            raise OperatorError("folder_unwritable", message, "choose another --directory, or mend this one") from error
        raise
