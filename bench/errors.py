"""The benchmark's only error: something that it needs is missing."""


class BenchError(Exception):
    """A figure cannot be measured; the text says what is missing and what to do about it."""
