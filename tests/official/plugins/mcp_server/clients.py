"""Who listens, and what they are to hear."""

import queue

listening: dict[str, "queue.Queue[str]"] = {}
