"""Who may reach the administration over a network: tokens, and how often one may fail with them."""
