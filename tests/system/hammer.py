"""Clients that ask until standard input ends, some on connections that they keep and some on new ones each time.

Run by path; writes, as JSON, how many answers were right, and what went wrong how often.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.load import Load
from support.raw_http import Answer


def main(url: str, path: str, body: str) -> None:
    def right(answer: Answer) -> bool:
        return answer.status == 200 and answer.body == body.encode()

    with Load(url, path, right, clients=4) as keeping, Load(url, path, right, clients=4, keep=False) as coming:
        sys.stdout.write("began\n")
        sys.stdout.flush()
        sys.stdin.read()
    wrong = keeping.wrong + coming.wrong
    json.dump({"answered": keeping.answered + coming.answered, "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
