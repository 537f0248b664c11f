"""Monitoring of the daemon: readiness, metrics and the log of requests."""
