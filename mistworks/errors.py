"""The errors a user can correct and the warnings a user should heed: one clear sentence each."""


class MistworksError(ValueError):
    """What was asked cannot be done; the message says what was expected, what it got and what to do."""


class MistworksWarning(UserWarning):
    """What was asked is done, and may be less good than it looks; the message says why."""


__all__ = ["MistworksError", "MistworksWarning"]
