"""The protocol between the host and a worker, sans-io: no sockets, no threads, no clock.

The layers, bottom up: `errors`; `messages` (one class for each message); `frames` (bytes to messages and back);
`states` (which message is allowed when); `flow` and `calls` (windows, and the session calls); `memory` (the shared
memory for large pieces); `connection` (the one object that both sides use).
"""
