"""Starts, watches, replaces and ends workers. `state` and `backoff` decide, `process` and `worker` act, and
`supervisor` owns the workers of one plugin."""
