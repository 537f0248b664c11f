"""Clients that send requests at a fixed pace. They run in a separate process, so that the measuring code does not delay
them: a thread may have to wait 5 ms for another one of the same interpreter.

``pace_clients.py PORT PATH ANSWER`` requests the path 400 times per second over 8 connections. It prints a line when it
has begun, runs until it can read a line, and then prints the requests as JSON: a list with, for each, when it began and
ended (seconds of the monotonic clock), and whether its answer was right.
"""

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

CLIENTS, INTERVAL = 8, 0.02
WARM_UP_SECONDS = 0.5
"""Requests in this time are not reported, because both server and clients are slower at first."""

Asked = tuple[float, float, bool]


def ask_at_pace(port: int, path: str, answer: bytes, offset: float, over: threading.Event) -> list[Asked]:
    """Send a request every ``INTERVAL`` seconds over one connection, after ``offset`` seconds, until ``over`` is set.

    After a late answer, the next request is sent immediately.
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
    """Run the clients with the arguments of the command line."""
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
