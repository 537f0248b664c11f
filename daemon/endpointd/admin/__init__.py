"""The administration of a running daemon: an HTTP API on a unix socket, and on a network address if wanted; its server
and its client."""
