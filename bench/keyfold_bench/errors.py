"""What stops a measurement."""


class Failure(Exception):
    """Something did not work or came out wrong; the text says what."""
