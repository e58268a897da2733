"""The error of a starter profile that cannot be written."""


class ProfileNotWrittenError(ValueError):
    """There are no usable shards to make a profile from, or the output file exists."""
