"""Calls a plugin's code repeatedly: ``own_code_process.py WORKLOAD SECONDS`` prints the microseconds per call.

The environment variable ``BENCH_PLUGIN`` is the path of the plugin's folder, as for the peers.
"""

import sys
import time
from io import BytesIO

from werkzeug import Request
from werkzeug.test import EnvironBuilder

from workloads import DOCUMENT, DUCK, Workload
from wsgi_plugin import application

WORKLOADS = {workload.plugin.name: workload for workload in (DUCK, DOCUMENT)}
WARM_UP_CALLS = 200


def time_of_call(workload: Workload, seconds: float) -> float:
    """Return the average duration of a call in seconds, over ``seconds``; ValueError if an answer is wrong."""
    builder = EnvironBuilder(workload.path, method=workload.method, headers=workload.headers, data=workload.body)
    environ = builder.get_environ()
    endpoint, values = application.match(environ)
    taken, calls = 0.0, -WARM_UP_CALLS
    while taken < seconds:
        # A new object for each call, because a request caches its parsed body.
        request = Request({**environ, "wsgi.input": BytesIO(workload.body)})
        began = time.perf_counter()
        response = endpoint(None)._invoke(request, values, {})
        taken += time.perf_counter() - began
        calls += 1
        if calls == 0:
            if response.get_data() != workload.answer:
                raise ValueError(f"the answer is {response.get_data()[:200]!r}")
            taken = 0.0
    return taken / calls


if __name__ == "__main__":
    sys.stdout.write(f"{time_of_call(WORKLOADS[sys.argv[1]], float(sys.argv[2])) * 1e6}\n")
