"""Access to the administration over a network: tokens, and the limit of failed attempts."""
