"""The one error that users are meant to read."""


class AlignPartsError(Exception):
    """Bad input, reported in one line: the file, the key, what was expected, the way out.

    The command line prints it and exits with code 2; library callers may catch it.
    """
