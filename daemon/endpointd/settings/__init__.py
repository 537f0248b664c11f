"""The settings of the daemon: how they are declared, read from file, environment and flags, and changed later."""
