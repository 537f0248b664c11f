"""Logs as plugins for Dify do: through a handler of the SDK's that they attach to their logger."""

import logging

from dify_plugin import Endpoint
from dify_plugin.config.logger_format import plugin_logger_handler
from werkzeug import Response

logger = logging.getLogger("plugin")
logger.setLevel(logging.INFO)
logger.addHandler(plugin_logger_handler)


class Logs(Endpoint):
    def _invoke(self, r, values, settings):
        logger.propagate = r.path == "/propagates"
        logger.info("it quacked")
        return Response("logged")
