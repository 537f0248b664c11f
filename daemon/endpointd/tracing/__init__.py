"""Tracing with OpenTelemetry: creating spans for requests, and exporting them. While tracing is off, only `opening` is
imported."""
