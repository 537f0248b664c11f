"""The parts of the soak, which `bench/soak.py` connects."""
