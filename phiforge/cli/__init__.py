"""The command line: one file per verb, imported only when its verb is called."""


class WrongWords(ValueError):
    """The command cannot be meant as it was given: exit code 2."""
