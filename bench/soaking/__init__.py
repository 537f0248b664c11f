"""The soak's rooms; `bench/soak.py` puts them together."""
