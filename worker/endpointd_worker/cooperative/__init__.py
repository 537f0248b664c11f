"""The runtime for plugins that use Dify's SDK, where gevent turns all threads into greenlets.

The plugin's code, including its requests, runs in greenlets of the main thread; gevent's hub switches between them when
one waits. The hub also reads the wire; while a greenlet keeps it from that, a real thread does. So a plugin that
computes for long delays its own requests, as in Dify, but requests are still cancelled and pings still answered.
"""
