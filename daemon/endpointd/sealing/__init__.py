"""Encryption of secrets ("sealing"): the keys, the file that contains them, and the mask that is shown instead.

`masking` is pure and imports nothing; `keyring` and `keyfile` import cryptography.
"""
