"""The one error that users are meant to read."""


class AlignPartsError(Exception):
    """Bad input, in one line (file, key, what was expected, way out); the command line exits with code 2."""
