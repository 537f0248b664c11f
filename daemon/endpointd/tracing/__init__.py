"""Tracing by OpenTelemetry: what is made of requests, and how it leaves. Nothing here is imported while it is off."""
