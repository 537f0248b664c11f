"""The rules for who may call an endpoint: from which addresses, how often, and from pages of which origins. Pure."""
