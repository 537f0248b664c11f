"""The log handler that plugins attach to their loggers by hand."""

import logging

plugin_logger_handler = logging.NullHandler()
"""Does nothing: the worker sends every record to the daemon's log already, and twice would be once too often."""
