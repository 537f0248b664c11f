"""Installs plugins into the plugins directory and removes them: what arrives is unpacked, checked and put in place."""
