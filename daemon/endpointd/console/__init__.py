"""The web console: pages for browsers, which use the same `Control` and `EndpointControl` as the API."""
