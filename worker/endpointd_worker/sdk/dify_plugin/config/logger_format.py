"""The log handler that plugins attach to their loggers by hand."""

import logging

plugin_logger_handler = logging.NullHandler()
"""Does nothing, because the worker already sends every record to the daemon's log."""
