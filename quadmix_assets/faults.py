"""Errors of the operating system and of storage: what they mean, in one line with path and remedy.

A full disk, a lake that cannot be written, a network that is down are no faults of the program:
commands and steps say such a line instead of where in the program the error came up.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from quadmix_assets.redaction import redacted

_RESUME = (
    "then `quadmix run --resume`, or materialise again what failed. What was finished is kept, and "
    "nothing is half-written"
)
_NETWORK = "the storage cannot be reached: see to the network or the mount"
_CREDENTIALS = (
    "the storage has no credentials that it takes: give them to its client (for s3:// "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for gs:// GOOGLE_APPLICATION_CREDENTIALS, for "
    "az:// AZURE_STORAGE_CONNECTION_STRING), where every process finds them"
)
_INSTANCE = (
    "the database of Dagster's instance cannot be used: see to its disk and its permissions, or "
    "point DAGSTER_HOME elsewhere"
)
_POSTGRES = (
    "the Postgres database of Dagster's instance cannot be used: see to the server, the network "
    "and the URL that DAGSTER_POSTGRES_URL or dagster.yaml names"
)
# Per error of the operating system what is wrong and what to do; whether it may pass by itself.
_MEANINGS: dict[int, tuple[str, bool]] = {
    errno.ENOSPC: ("the disk is full: make room, or set `lake` to another disk", False),
    errno.EDQUOT: ("the disk quota is used up: make room, or have the quota raised", False),
    errno.EROFS: ("the file system is read-only: mount it for writing, or set another path", False),
    errno.EACCES: ("no permission: give this user the right, or set another path", False),
    errno.EPERM: ("it is not allowed: give this user the right, or set another path", False),
    errno.EIO: ("the disk reports an error: look after it (`dmesg` says more)", True),
    errno.EMFILE: ("too many files are open: raise the limit (`ulimit -n`)", False),
    errno.ENFILE: ("too many files are open: raise the limit of the system", False),
    errno.ENOMEM: ("there is no memory left: end other programs, or use a larger machine", False),
    errno.ENOENT: ("it is not there: put it back, or correct the setting that names it", False),
    errno.ENOTDIR: ("a part of the path is no folder: correct the setting that names it", False),
    errno.EISDIR: ("it is a folder where a file was expected: move it away", False),
    errno.EEXIST: ("it is there already: move it away", False),
    errno.ENAMETOOLONG: ("the name is too long for the file system: shorten the path", False),
    errno.ELOOP: ("its links lead in a circle: correct them", False),
    errno.EBUSY: ("it is busy, or the storage refuses for now: try again later", True),
    errno.ESTALE: (_NETWORK, True),
    **dict.fromkeys(
        (
            errno.ENETDOWN,
            errno.ENETUNREACH,
            errno.ENETRESET,
            errno.EHOSTDOWN,
            errno.EHOSTUNREACH,
            errno.ECONNREFUSED,
            errno.ECONNRESET,
            errno.ECONNABORTED,
            errno.ENOTCONN,
            errno.EPIPE,
            errno.ETIMEDOUT,
            errno.EREMOTEIO,
        ),
        (_NETWORK, True),
    ),
}
# Clients of remote storage whose errors are not all OSErrors.
_CLIENTS = frozenset(
    {"aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google", "httpx", "requests", "urllib3"}
)

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_fault(error: BaseException) -> bool:
    """Whether the error is one of the operating system or of remote storage.

    Errors that say in words of their own what is missing count too, such as MissingOutputError.
    """
    return isinstance(error, OSError) or _is_of_a_client(error) or _is_of_the_instance(error)


def may_pass(error: BaseException) -> bool:
    """Whether trying again after some time can help."""
    if isinstance(error, OSError) and error.errno is not None:
        return _MEANINGS.get(error.errno, ("", False))[1]
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if _lacks_credentials(error):
        return False
    return _is_of_a_client(error) or _is_of_postgres(error)


def fault_text(error: BaseException) -> str:
    """The error in one line: the path, what is wrong, and what to do."""
    return redacted(_told(error))


def _told(error: BaseException) -> str:
    if _is_of_the_instance(error):
        of_postgres = _is_of_postgres(error)
        # Dagster's own words, after its last try at Postgres, do not tell the reason.
        cause = (error.__cause__ if of_postgres else None) or error
        text = " ".join(str(getattr(cause, "orig", cause)).split())
        if of_postgres:
            return f"{_POSTGRES} ({text}); {_RESUME}"
        return f"{os.environ.get('DAGSTER_HOME', '')}: {_INSTANCE} ({text}); {_RESUME}"
    if not isinstance(error, OSError) or error.errno is None:
        text = " ".join(str(error).split()) or type(error).__name__
        if _lacks_credentials(error):
            return f"{_path(error)}{_CREDENTIALS} ({type(error).__name__}: {text}); {_RESUME}"
        if not may_pass(error):
            return text
        return f"{_path(error)}{_NETWORK} ({type(error).__name__}: {text}); {_RESUME}"
    meaning, _ = _MEANINGS.get(error.errno, ("see to it", False))
    system = error.strerror or os.strerror(error.errno)
    return f"{_path(error)}{meaning} ({' '.join(str(system).split())}); {_RESUME}"


@contextmanager
def naming(path: object) -> Iterator[None]:
    """Add the path to errors of the operating system that have none, as those of writing do."""
    try:
        yield
    except OSError as error:
        # An error without a number says in words of its own what is wrong.
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def kind_of_file(mode: int) -> str | None:
    """What a file is that holds no content to be read, by its mode; None for files and folders."""
    return _KINDS.get(stat.S_IFMT(mode))


def _is_of_a_client(error: BaseException) -> bool:
    return any(kind.__module__.split(".")[0] in _CLIENTS for kind in type(error).__mro__)


def _lacks_credentials(error: BaseException) -> bool:
    """Whether the client of a storage has no credentials, or wrong ones."""
    words = ("Credential", "Authentication")
    return _is_of_a_client(error) and any(word in type(error).__name__ for word in words)


def _is_of_the_instance(error: BaseException) -> bool:
    """Whether the database of Dagster's instance cannot be read or written."""
    kind = type(error)
    sql = kind.__name__ == "OperationalError" and kind.__module__ in ("sqlalchemy.exc", "sqlite3")
    return sql or _is_of_postgres(error)


def _is_of_postgres(error: BaseException) -> bool:
    """Whether the server is down, or refuses the connection."""
    kind = type(error)
    if kind.__name__ == "OperationalError" and kind.__module__ in ("sqlalchemy.exc", "psycopg2"):
        return type(getattr(error, "orig", error)).__module__ == "psycopg2"
    return kind.__name__ == "DagsterPostgresException"


def _path(error: BaseException) -> str:
    names = [getattr(error, name, None) for name in ("filename", "filename2")]
    shown = [os.fsdecode(name) for name in names if isinstance(name, str | bytes | os.PathLike)]
    return f"{' -> '.join(shown)}: " if shown else ""
