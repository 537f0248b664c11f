"""How operators reach a running daemon: an HTTP API on a unix socket, its server and its client."""
