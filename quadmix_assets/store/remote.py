"""How clients of remote storage are used: how often they try, before an error reaches anybody.

Clients repeat requests that failed by their own rules: gcsfs six times, with growing pauses, the
client of the hub five times. That of S3 repeats few errors by default, and hardly waits; here it
repeats every error that may pass (5xx, throttling, lost connections, timeouts), with pauses that
double up to 20 seconds, drawn at random so that many steps do not come back at once.
"""

import os

from upath import UPath

S3 = ("s3", "s3a")
# The pauses add up to half a minute; s3fs begins anew, four times, where the storage throttles.
_ATTEMPTS = 6
_CONNECT_SECONDS, _READ_SECONDS = 10, 60


def with_retries(path: UPath) -> UPath:
    """The same path, with a client that repeats what fails.

    AWS_MAX_ATTEMPTS and AWS_RETRY_MODE, as Amazon's own tools know them, change how often and how.
    """
    if path.protocol not in S3 or "config_kwargs" in path.storage_options:
        return path
    retries = {
        "mode": os.environ.get("AWS_RETRY_MODE", "standard"),
        "max_attempts": int(os.environ.get("AWS_MAX_ATTEMPTS", _ATTEMPTS)),
    }
    return UPath(
        path,
        config_kwargs={
            "retries": retries,
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
        },
    )
