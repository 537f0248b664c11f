"""The one error of the benchmark: something it needs is not there."""


class BenchError(Exception):
    """A figure cannot be measured; the text says what is missing and what to do about it."""
