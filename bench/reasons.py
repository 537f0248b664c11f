"""Why goals are missed, by the beginnings of their keys. Shown where a goal is missed, and only there.

``python bench/publish.py`` writes the page again with what is changed here.
"""

THREE_FOR_TWO = (
    "wrk, the host and the worker are three processes for two cores, where wrk and a peer's one process have a core "
    "each; the section on the host's processor time says what the hop costs. Both cores are full: more requests a "
    "second need less work for each, in the host first."
)

OWN_CODE = (
    "most of the worker's time is that of the plugin's own code: the section on that says how often one process could "
    "answer if nothing else took any time. The goals against gunicorn and the SDK ask one worker for about as much, or "
    "for more."
)

ALONE = (
    "a request passes two sockets more than inside a server, and the kernel wakes two processes more; nothing else is "
    "there to be done meanwhile."
)

COPIES = (
    "each byte is copied by the kernel four times between the client and the plugin, where a server with the plugin "
    "inside copies twice, and host and worker take Python's copies besides; plugin, host and client share two cores."
)

SHARED = (
    "each byte is copied once more than in a server with the plugin inside, into the memory that host and worker "
    "share; plugin, host and client share two cores."
)

PIECES = (
    "pieces that are made together leave together, but each is a step of the plugin's generator and of the worker's "
    "lock; then all of it passes the host, which shares two cores with plugin and client."
)

GREENLETS = (
    "the SDK makes a session for each request, and threads greenlets; host and worker share two cores with wrk, which "
    "the SDK's own runtime is measured without."
)

WORKER = (
    "the worker's own modules come on top of the SDK, whose runtime has threads and pipes in their place; and an "
    "environment's interpreter shares nothing with the template."
)

BURSTS = (
    "the streams are opened within seconds, so that their events fall into the same part of each five seconds, and a "
    "request that comes then waits for some of them; half of the others take less than a millisecond."
)

START = (
    "the new worker starts beside the old one, and takes one of two processors for some milliseconds from those who "
    "serve. Without a restart hardly one request in a hundred takes more than two, so that this shows."
)

BOTH = (
    "two workers want both processors whole, and the load generator and the host have their share of them, which the "
    "table tells; besides, a virtual machine's two processors need not be worth twice one."
)

REASONS: dict[str, str] = {
    "duck-32": THREE_FOR_TWO,
    "duck-256": THREE_FOR_TWO,
    "document-32": OWN_CODE,
    "document-256": OWN_CODE,
    "duck-1-": ALONE,
    "document-1-": ALONE,
    "sdk-duck": GREENLETS,
    "sdk-start": WORKER,
    "sdk-memory": WORKER,
    "out-64k": SHARED,
    "out-8k": PIECES,
    "in": COPIES,
    "restart-paced": START,
    "several": BOTH,
    "open-thread-p99": BURSTS,
    "open-task-p99": BURSTS,
}


def reason_for(key: str) -> str:
    """Return why the goal of this key is missed; the longest beginning counts."""
    fitting = [begin for begin in REASONS if key.startswith(begin)]
    return REASONS[max(fitting, key=len)] if fitting else "not found out yet."
