"""The project under test: a small shop."""
