"""The bound of open files, in a process of its own: it cannot be taken back."""

import subprocess
import sys

PROGRAM = """
import resource
from endpointd.sockets.descriptors import for_clients, raise_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
raise_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
raise_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64)
assert (for_clients(10), for_clients(1000)) == (10, 48)
"""


def test_the_daemon_takes_as_many_as_it_may() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
