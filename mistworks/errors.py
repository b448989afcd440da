"""The errors a user can mend: one clear sentence each, printed as such by the command line."""


class MistworksError(ValueError):
    """What was asked cannot be done; the message says what was expected, what came and how to mend it."""
