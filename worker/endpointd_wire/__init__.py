"""What the host and a worker say to each other, as a sans-io protocol: no sockets, no threads, no clock.

The layers, bottom up: `errors`, `messages` (what can be said), `frames` (bytes to messages and back), `states` (when it
may be said), `connection` (the one object that both sides use).
"""
