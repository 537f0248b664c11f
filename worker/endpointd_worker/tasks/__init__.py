"""Runs endpoints whose `_invoke` is an `async def`: each request is a task of one asyncio loop in a separate thread.

The pool's threads still read the wire, so pings are answered even while a task blocks the loop, and cancellations reach
the loop as soon as it continues. Imported only if the plugin has such an endpoint.
"""
