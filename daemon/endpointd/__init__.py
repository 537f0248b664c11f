"""The host process: routes HTTP requests, relays them to plugin workers, and supervises these. It never runs plugins'
code itself."""

__version__ = "0.1.0"
