"""Waits, streams, computes and goes on in the background, as the path says."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import subprocess
import threading
import time
import urllib.request

import gevent
from dify_plugin import Endpoint
from gevent.threadpool import ThreadPoolExecutor
from werkzeug import Response

gate = threading.Event()
beats = []


def _beat():
    while True:
        beats.append(time.monotonic())
        time.sleep(0.005)


threading.Thread(target=_beat, daemon=True, name="scheduler").start()


def _endless():
    try:
        number = 0
        while True:
            yield f"{number}\n"
            number += 1
            time.sleep(0.001)
    finally:
        print("the generator was closed", flush=True)


def _compute(folder):
    """Without a moment for anybody else, until a file is there."""
    while not os.path.exists(folder):
        pass
    return "computed"


def _child(forked, until):
    print("a child was here", flush=True)
    with open(forked, "w") as file:
        file.write("here")
    turns, sleeps = gevent.get_hub().loop.iteration, 0
    while not os.path.exists(until):
        time.sleep(0.001)
        sleeps += 1
    turns = gevent.get_hub().loop.iteration - turns
    with open(until, "w") as file:
        file.write("rested" if turns < 10 * sleeps + 100 else f"{turns} turns in {sleeps} sleeps")


def _fork(forked, until):
    child = multiprocessing.get_context("fork").Process(target=_child, args=(forked, until))
    child.start()
    child.join()
    return str(child.exitcode)


def _fork_in_thread():
    children = []
    thread = threading.Thread(target=lambda: children.append(os.fork()))
    thread.start()
    thread.join()
    return str(os.waitpid(children[0], 0)[1])


def _note(file, until):
    """In which process this is, again and again."""
    try:
        while not os.path.exists(until):
            _append(file, os.getpid())
            yield "."
            time.sleep(0.001)
    finally:
        _append(file, f"{os.getpid()} closed")


def _poll(storage):
    """As plugins wait for news that another request stores, and take whatever is raised for "none yet"."""
    while True:
        with contextlib.suppress(BaseException):
            yield storage.get("news")
        time.sleep(0.001)


def _append(file, line):
    with open(file, "a") as opened:
        opened.write(f"{line}\n")


def _kill_all(*, block=True):
    """As a plugin may do that cleans up after itself, and does not ask whose they are."""
    mine = gevent.getcurrent()
    others = [each for each in gc.get_objects() if isinstance(each, gevent.Greenlet) and each is not mine]
    gevent.killall(others, block=block)
    return str(len(others))


def _kill_all_until(file):
    while not os.path.exists(file):
        gevent.sleep(0)
        # One that answers a request is told, and lives on.
        _kill_all(block=False)


def _leave_behind(storage):
    """A greenlet that waits for a call, in a thread of the system's that has ended."""

    def work():
        threading.Thread(target=storage.get, args=("k",)).start()
        time.sleep(0.001)
        return gevent.get_hub()

    with ThreadPoolExecutor(1) as executor:
        hub = executor.submit(work).result()
    while hub.loop is not None:
        time.sleep(0.001)
    return "left"


async def _in_a_loop():
    await asyncio.sleep(0.001)
    return "awaited"


class Waits(Endpoint):
    def _invoke(self, r, values, settings):
        match r.path:
            case "/wait":
                gate.wait()
                return Response("waited")
            case "/open":
                gate.set()
                return Response("opened")
            case "/endless":
                return Response(_endless())
            case "/poll":
                return Response(_poll(self.session.storage))
            case "/large":
                return Response(b"x" * 65536 for _ in range(64))
            case "/compute":
                return Response(_compute(r.args["until"]))
            case "/touch":
                open(r.args["file"], "w").close()
            case "/beats":
                seen = len(beats)
                while len(beats) < seen + 3:
                    time.sleep(0.001)
                return Response("beating")
            case "/body":
                return Response(str(len(r.get_data())))
            case "/kill":
                return Response(_kill_all())
            case "/kill-on":
                gevent.spawn(_kill_all_until, r.args["until"])
                return Response("killing")
            case "/subprocess":
                return Response(subprocess.run(["echo", "said"], stdout=subprocess.PIPE, check=True).stdout)
            case "/fetch":
                return Response(urllib.request.urlopen(r.args["url"], timeout=10).read())
            case "/asyncio":
                return Response(asyncio.run(_in_a_loop()))
            case "/native":
                # A thread of the system's, as gevent has them for what would hold everybody up.
                pool = gevent.get_hub().threadpool
                return Response(pool.apply(self.session.storage.get, ("k",)))
            case "/leave-behind":
                return Response(_leave_behind(self.session.storage))
            case "/fork-in-thread":
                return Response(_fork_in_thread())
            case "/note":
                return Response(_note(r.args["file"], r.args["until"]))
            case "/fork":
                return Response(_fork(r.args["forked"], r.args["until"]))
        return Response("plain")
