"""What a plugin logs, as its host gets it."""

import logging
from pathlib import Path

import pytest

from endpointd_wire.messages import Drain, Log
from endpointd_worker.texts import MAX_TEXT
from support.worker_process import LoadPlugin

SOURCE = """
import logging
import threading
from werkzeug import Response
from dify_plugin import Endpoint
from dify_plugin.config.logger_format import plugin_logger_handler

logger = logging.getLogger("duck")
logger.addHandler(plugin_logger_handler)
logger.warning("imported")

class Duck(Endpoint):
    def _invoke(self, r, values, settings):
        STATEMENT
        return Response("answered")
"""


def logged(load: LoadPlugin, statement: str, *, body: bytes = b"answered") -> tuple[list[Log], str]:
    """The records of one request, and what the plugin wrote to its standard error."""
    worker = load({"duck.py": SOURCE.replace("STATEMENT", statement)})
    assert worker.host.ask(request_id="r-5").body == body
    worker.host.say(Drain())
    worker.host.hear_end()
    assert worker.host.logs[0] == Log(logging.WARNING, "duck", "imported", "")
    return worker.host.logs[1:], worker.wait()[1]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 25])
def test_a_record_comes_with_its_request(load: LoadPlugin, level: int) -> None:
    records, stderr = logged(load, f"logger.log({level}, 'quack %d', 7)")
    assert records == [Log(level, "duck", "quack 7", "r-5")]
    assert stderr == ""


def test_what_is_only_for_debugging_is_left_out(load: LoadPlugin) -> None:
    assert logged(load, "logger.debug('quack')") == ([], "")


def test_the_level_is_the_plugins_to_choose(load: LoadPlugin) -> None:
    records, stderr = logged(load, "logging.basicConfig(level='DEBUG', format='%(asctime)s'); logger.debug('quack')")
    assert records == [Log(logging.DEBUG, "duck", "quack", "r-5")]
    assert stderr == ""


@pytest.mark.parametrize("more", ["", ", force=True"])
def test_a_file_of_the_plugins_own_gets_the_records_too(load: LoadPlugin, tmp_path: Path, more: str) -> None:
    handlers = f"[logging.FileHandler('{tmp_path}/log'), logging.StreamHandler()]"
    records, stderr = logged(load, f"logging.basicConfig(handlers={handlers}{more}); logger.info('quack')")
    assert records == [Log(logging.INFO, "duck", "quack", "r-5")]
    assert (tmp_path / "log").read_text() == "INFO:duck:quack\n"
    assert stderr == ""


def test_an_exception_comes_with_its_traceback(load: LoadPlugin) -> None:
    ((_, _, text, _),), _ = logged(load, "try: 1 / 0\n        except ZeroDivisionError: logger.exception('failed')")
    assert text.startswith("failed\nTraceback (most recent call last):\n")
    assert text.endswith("ZeroDivisionError: division by zero")


def test_the_plugins_own_threads_belong_to_no_request(load: LoadPlugin) -> None:
    statement = "t = threading.Thread(target=logger.info, args=['quack']); t.start(); t.join()"
    assert logged(load, statement)[0] == [Log(logging.INFO, "duck", "quack", "")]


def test_a_record_that_is_too_long_is_cut(load: LoadPlugin) -> None:
    ((_, _, text, _),), _ = logged(load, f"logger.info('鸭' * {MAX_TEXT + 5})")
    assert text == "鸭" * MAX_TEXT + "… (5 more characters)"


def test_a_record_that_cannot_be_encoded_does_no_harm(load: LoadPlugin) -> None:
    assert logged(load, "logger.info('a\\ud800b')")[0] == [Log(logging.INFO, "duck", "a?b", "r-5")]


def test_a_faulty_record_does_not_make_a_faulty_answer(load: LoadPlugin) -> None:
    records, stderr = logged(load, "logger.info('%d', 'no number')")
    assert records == []
    assert "--- Logging error ---" in stderr


def test_a_failure_is_logged_with_its_request(load: LoadPlugin) -> None:
    ((level, logger, text, request),), _ = logged(load, "raise ValueError('inside')", body=b"")
    assert (level, logger, request) == (logging.ERROR, "endpointd", "r-5")
    assert text.startswith("GET / failed\nTraceback")
    assert text.endswith("ValueError: inside")


def test_a_record_made_by_hand_is_no_fault_of_the_wire(load: LoadPlugin) -> None:
    statement = "logger.handle(logging.makeLogRecord({'levelno': True, 'msg': 'quack'}))"
    assert logged(load, statement)[0] == [Log(1, "None", "quack", "r-5")]


@pytest.mark.parametrize(
    "statement", ["logging.config.dictConfig({'version': 1})", "logging.disable(logging.CRITICAL)"]
)
def test_a_failure_is_logged_whatever_the_plugin_has_set(load: LoadPlugin, statement: str) -> None:
    statement = f"import logging.config; {statement}; raise ValueError('inside')"
    ((level, logger, text, _),), _ = logged(load, statement, body=b"")
    assert (level, logger) == (logging.ERROR, "endpointd")
    assert text.endswith("ValueError: inside")
