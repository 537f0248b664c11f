"""Keeping secrets: the keys, the file they are in, and what is shown in a secret's place.

`masking` is pure and needs nothing; `keyring` and `keyfile` import cryptography.
"""
