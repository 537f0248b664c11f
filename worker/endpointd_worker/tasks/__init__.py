"""Endpoints whose `_invoke` is an `async def`: each request is a task of one asyncio loop in a thread of its own.

The pool goes on to read the wire, so that a loop that is blocked still hears of cancelled requests when it goes on, and
its worker still answers that it is there. Nothing here is imported before there is a class that needs it.
"""
