"""The file that contains the keys, one per line: the first one seals, all unseal. Blocking.

It is created once, when nothing is sealed yet, and afterwards only replaced atomically: even after a crash of the
machine it contains all keys with which something is sealed.
"""

import base64
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from endpointd.errors import OperatorError
from endpointd.sealing.keyring import Key, Keyring

CREDENTIAL = "endpointd-key"
"""The name of the file as a credential of systemd (`LoadCredential=`, `LoadCredentialEncrypted=`)."""

_LINE = "endpointd-key-1:"
_MOST_BYTES = 64 * 1024
_HEADER = """\
# The keys that seal the secrets of endpointd's endpoints, one a line. The first seals, all unseal.
# Keep a copy of this file, away from those of the database: without it the secrets cannot be read again.
"""


def find_key_file(chosen: Path | None, state: Path, environment: Mapping[str, str]) -> "KeyFile":
    """The key file: `chosen` (the setting) if given, else the credential from systemd, else `secret.key` in the state
    directory."""
    if chosen is not None:
        return KeyFile(chosen)
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if directory and (Path(directory) / CREDENTIAL).exists():
        return KeyFile(Path(directory) / CREDENTIAL, is_credential=True)
    return KeyFile(state / "secret.key")


class KeyFile:
    """The key file at `path`. Methods raise `OperatorError`; the file is unchanged then."""

    def __init__(self, path: Path, is_credential: bool = False) -> None:
        self.path = path
        self.is_credential = is_credential
        """Whether it is systemd's read-only copy."""

    def read(self) -> Keyring | None:
        """The keys in the file; None if there is no file."""
        keys = self._keys()
        return None if keys is None else Keyring(keys)

    def make(self) -> Keyring:
        """The keys in the file; if there is none, create it with a new key. If two processes do so at once, both get
        the same key."""
        if (found := self.read()) is not None:
            return found
        with self._explained():
            new = self._write_beside([Key.make()])
            try:
                # Unlike a rename, a link does not replace a file that another process has created meanwhile.
                with suppress(FileExistsError):
                    os.link(new, self.path)
            finally:
                new.unlink()
            _write_out(self.path.parent)
        if (made := self.read()) is None:
            raise self._unwritable("it vanished as soon as it was made")
        return made

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock the keys against other changes during the block. Raises `OperatorError` if the file cannot be changed or
        is locked."""
        if self.is_credential:
            raise OperatorError(
                "secret_key_fixed",
                f"{self.path} is a credential that systemd gives, which the daemon cannot change",
                "put a new key into the file that it is made of ('endpointd secrets new-key FILE'), start the daemon"
                " again, and then rotate",
            )
        with self._explained():
            fd = os.open(self.path.resolve().parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            with self._explained():
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(fd)

    def add(self) -> Keyring:
        """Add a new key before the others, and return all. Only within `changing`."""
        return self._replace([Key.make(), *(self._keys() or [])])

    def drop_old(self) -> Keyring:
        """Remove all keys but the first. Only within `changing`, and when nothing is sealed with the others."""
        return self._replace((self._keys() or [Key.make()])[:1])

    def _replace(self, keys: Sequence[Key]) -> Keyring:
        with self._explained():
            new = self._write_beside(keys)
            try:
                new.replace(self.path.resolve())
            except OSError:
                new.unlink()
                raise
            _write_out(self.path.resolve().parent)
        return Keyring(keys)

    def _write_beside(self, keys: Sequence[Key]) -> Path:
        """Write the keys to a new temporary file in the same folder, and to the disk; returns its path."""
        target = self.path.resolve()
        new = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "w", encoding="ascii") as file:
                # Independent of the umask.
                os.fchmod(fd, 0o600)
                file.write(_HEADER + "".join(f"{_LINE}{base64.b64encode(key.secret).decode()}\n" for key in keys))
                file.flush()
                os.fsync(fd)
        except OSError:
            new.unlink()
            raise
        return new

    def _keys(self) -> list[Key] | None:
        try:
            # O_NONBLOCK, because opening a named pipe would wait for ever.
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        try:
            self._check(os.fstat(fd))
            content = os.read(fd, _MOST_BYTES)
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        finally:
            os.close(fd)
        return self._parsed(content)

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._unreadable("it is no file")
        # systemd gives the service's user access by an ACL, which shows as a permission of the group.
        open_to = stat.S_IRWXO if self.is_credential else stat.S_IRWXG | stat.S_IRWXO
        if found.st_mode & open_to:
            raise OperatorError(
                "secret_key_open",
                f"others may use the key file {self.path}: its mode is {stat.S_IMODE(found.st_mode):04o}",
                f"chmod 600 {self.path}; who was not to see it may have copied it: then change the keys",
            )
        if found.st_uid not in (0, os.geteuid()):
            raise OperatorError(
                "secret_key_open",
                f"the key file {self.path} belongs to user {found.st_uid}",
                "let it belong to the user that runs the daemon",
            )

    def _parsed(self, content: bytes) -> list[Key]:
        """The keys in the file's content. Error messages do not quote it."""
        lines = [line.strip() for line in content.decode("ascii", "replace").splitlines()]
        keys = []
        for number, line in enumerate(lines, 1):
            if line and not line.startswith("#"):
                try:
                    keys.append(Key(base64.b64decode(_without_prefix(line), validate=True)))
                except ValueError:
                    raise self._invalid(f"line {number} is no key") from None
        if not keys:
            raise self._invalid("there is no key in it")
        return keys

    def _invalid(self, reason: str) -> OperatorError:
        return OperatorError(
            "secret_key_invalid",
            f"the key file {self.path} cannot be used: {reason}",
            "put back the copy that you have; without any, only the secrets must be given anew, to a new database",
        )

    def _unreadable(self, reason: str) -> OperatorError:
        return OperatorError(
            "secret_key_unreadable",
            f"the key file {self.path} cannot be read: {reason}",
            "let the user that runs the daemon read it, or name another one with --secret-key",
        )

    def _unwritable(self, reason: str) -> OperatorError:
        return OperatorError(
            "secret_key_unwritable",
            f"the key file {self.path} cannot be written: {reason}",
            "make room there, let the user that runs the daemon write there, or name another one with --secret-key",
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError as error:
            raise self._unwritable("somebody else is changing it") from error
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error


def _without_prefix(line: str) -> str:
    if not line.startswith(_LINE):
        raise ValueError("not a key")
    return line.removeprefix(_LINE)


def _write_out(directory: Path) -> None:
    """Write a directory's entries to the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
