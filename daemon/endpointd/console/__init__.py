"""The web console: pages that a browser shows, over the same `Control` and `EndpointControl` as the API."""
