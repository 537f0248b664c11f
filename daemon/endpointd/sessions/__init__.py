"""What plugins ask of the daemon through `self.session`: heard from a worker, checked, and answered.

`caller`, `errors`, `permissions` and `backends` need nothing.
"""
