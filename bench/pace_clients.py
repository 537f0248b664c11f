"""Clients that ask at a pace, in a process of their own, so that nothing that is done meanwhile delays them: threads of
one interpreter wait for each other for 5 ms.

``pace_clients.py PORT PATH ANSWER`` asks for the path 400 times a second over 8 connections. It writes a line when it
has begun, reads a line that says that it is enough, and writes what came of each request: JSON, a list of when it began
and ended (seconds of the monotonic clock) and whether its answer was right.
"""

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

CLIENTS, INTERVAL = 8, 0.02
WARM_UP_SECONDS = 0.5
"""What is asked before it begins does not count: there is much to be done for the first time, by the clients too."""

Asked = tuple[float, float, bool]


def ask_at_pace(port: int, path: str, answer: bytes, offset: float, over: threading.Event) -> list[Asked]:
    """Ask every ``INTERVAL`` over a connection that is kept, beginning after ``offset`` seconds, until it is over.

    After an answer that came late the next request is made at once.
    """
    asked = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    due = time.monotonic() + offset
    over.wait(offset)
    while not over.is_set():
        began = time.monotonic()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            right = (response.status, response.read()) == (200, answer)
        except (OSError, http.client.HTTPException):
            right = False
            connection.close()
        ended = time.monotonic()
        asked.append((began, ended, right))
        due = max(due + INTERVAL, ended)
        over.wait(due - ended)
    connection.close()
    return asked


def main() -> None:
    """Do what the command line says."""
    port, path, answer = int(sys.argv[1]), sys.argv[2], sys.argv[3].encode()
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        offsets = [INTERVAL * number / CLIENTS for number in range(CLIENTS)]
        clients = [pool.submit(ask_at_pace, port, path, answer, offset, over) for offset in offsets]
        time.sleep(WARM_UP_SECONDS)
        begun = time.monotonic()
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        sys.stdin.readline()
        over.set()
        asked = [one for client in clients for one in client.result() if one[0] >= begun]
    sys.stdout.write(json.dumps(asked) + "\n")


if __name__ == "__main__":
    main()
