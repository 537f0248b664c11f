"""A PostgreSQL server that is there for the tests alone, and gone with them."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find(program: str) -> str | None:
    """Debian keeps the server's programs out of the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(installed[-1]) if installed else shutil.which(program)


def missing() -> str:
    """Why there can be no server here; empty when there can."""
    if find("initdb") is None or find("pg_ctl") is None:
        return "the server's programs initdb and pg_ctl are not installed"
    # It does not run as root.
    return "" if os.geteuid() != 0 or "postgres" in {user.pw_name for user in pwd.getpwall()} else "no user postgres"


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, program: str, *arguments: str) -> None:
        command = [str(find(program)), *arguments]
        # What its children write would be read until they end.
        with (self.folder / "output").open("a") as output:
            done = subprocess.run(
                command,
                user=self._user,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=60,
                check=False,
            )
        assert done.returncode == 0, (self.folder / "output").read_text()

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c max_connections=40"
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-o", options)

    def stop(self) -> None:
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))


@contextmanager
def serving() -> Iterator[Server]:
    """A server with nothing in it, reached by a socket. Its folder is in none that only we may enter."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp", ignore_cleanup_errors=True) as name:
        server = Server(Path(name))
        if os.geteuid() == 0:
            shutil.chown(name, "postgres")
        server.run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N", "-D", str(server.folder / "data"))
        server.start()
        try:
            yield server
        finally:
            server.stop()
