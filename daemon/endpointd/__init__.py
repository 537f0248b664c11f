"""The host: owns HTTP routing, relays requests to plugin workers, supervises them, never runs plugin code."""

__version__ = "0.1.0"
