"""Workers' lives. `state` and `backoff` decide, `process` and `worker` act, `supervisor` owns one plugin's worker."""
