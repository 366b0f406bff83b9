"""The command ``texparts``."""
