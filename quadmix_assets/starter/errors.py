"""What keeps a starter profile from being written."""


class ProfileNotWrittenError(ValueError):
    """There is nothing to make a profile from, or a file is in its place."""
