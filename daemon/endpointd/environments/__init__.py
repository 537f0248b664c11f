"""Environments: the interpreter and the packages that a plugin's workers run with, built by uv, shared where the inputs
are equal."""
