"""Session calls, which plugins make through `self.session`: received from a worker, checked, and answered.

`caller`, `errors`, `permissions`, `tally` and `backends` (the protocol that backends implement) are pure.
"""
