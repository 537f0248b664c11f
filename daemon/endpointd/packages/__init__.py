"""Packages (`.difypkg`): plugins as one file, made, signed, checked and unpacked."""
