"""Dify's own SDK, `dify_plugin` from PyPI, in a worker: it speaks with its daemon in lines of JSON, and here with ours.

Only what all versions of it have is used: a session is made of a reader and a writer, which are to be subclassed.
"""
