"""What keeps the local stack from starting."""


class CannotStart(Exception):
    """One clear sentence for the person who started it."""
