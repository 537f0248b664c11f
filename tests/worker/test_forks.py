"""A child of the worker's in which a plugin's code goes on. It has one of the worker's threads, and nothing to say."""

from endpointd_wire.messages import Data, Drain, End, Ping, Pong
from support.worker_process import LoadPlugin

SOURCE = """
import logging
import os
import threading
from werkzeug import Response
from dify_plugin import Endpoint

class Duck(Endpoint):
    def _invoke(self, r, values, settings):
        STATEMENT
"""

COME_BACK = """
        r.get_data()
        child = os.fork()
        return Response(str(child and os.waitpid(child, 0)[1]))
"""

LOG = """
        child = os.fork()
        if not child:
            logging.warning("quack")
            os._exit(0)
        return Response(str(os.waitpid(child, 0)[1]))
"""

FORK_WHILE_ANOTHER_SENDS = """
        link = logging.getLogger().handlers[0]._send.__self__
        held = threading.Event()
        sent = threading.Event()

        def hold():
            with link.lock:
                held.set()
                sent.wait()

        threading.Thread(target=hold).start()
        held.wait()
        child = os.fork()
        status = child and os.waitpid(child, 0)[1]
        sent.set()
        return Response(str(status))
"""


def test_one_that_comes_back_from_the_plugins_code_ends(load: LoadPlugin) -> None:
    worker = load({"duck.py": SOURCE.replace("STATEMENT", COME_BACK)})
    stream = worker.host.request(method="POST", end=End.MORE)
    # Its thread has left the wire to another one when that answers.
    worker.host.say(Ping(1))
    worker.host.hear(Pong)
    worker.host.say(Data(stream, End.BODY, b"duck"))
    assert worker.host.take(stream).body == b"0"


def test_one_that_is_born_while_another_thread_holds_the_link_ends(load: LoadPlugin) -> None:
    worker = load({"duck.py": SOURCE.replace("STATEMENT", FORK_WHILE_ANOTHER_SENDS)})
    assert worker.host.ask().body == b"0"


def test_what_it_logs_is_output(load: LoadPlugin) -> None:
    worker = load({"duck.py": SOURCE.replace("STATEMENT", LOG)})
    assert worker.host.ask().body == b"0"
    worker.host.say(Drain())
    worker.host.hear_end()
    assert worker.host.logs == []
    assert worker.wait()[1] == "quack\n"
