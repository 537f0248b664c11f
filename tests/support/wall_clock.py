"""A wall clock that jumps, for single processes: the library `wall_clock.c`, which is preloaded.

The machine's own clock is everybody's, and no namespace of Linux has another one (a time namespace moves the monotonic
clocks alone).
"""

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class WallClock:
    """Made in `directory`; the processes that are started with `environment` see it."""

    def __init__(self, directory: Path) -> None:
        """LookupError: there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise LookupError("no C compiler (cc)")
        library = directory / "wall_clock.so"
        self._offset = directory / "wall_clock_offset"
        self.jump(0)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_OFFSET": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """The clock is so many seconds ahead of the machine's now, or behind it."""
        # In place: whoever has the file mapped sees it.
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("l", seconds))
