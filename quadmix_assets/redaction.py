"""What of URIs and of messages can be shown: all but credentials."""

import re

HIDDEN = "***"
_SECRET = re.compile(
    r"\bsig\b|signature|secret|token|password|passwd|credential|api_?key|access_?key", re.I
)
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/'\"]*@")
_QUERY_VALUE = re.compile(r"(?P<name>[?&;][^=\s&'\"]*)=(?P<value>[^\s&'\"]+)")


def without_credentials(location: str) -> str:
    """A location without the credentials that it may hold; it can be shown and stored."""
    if "://" not in location:
        return location
    scheme, rest = location.split("://", 1)
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def redacted(text: str) -> str:
    """A text in which what looks like credentials in a URI is replaced by `***`."""
    shown = _USER.sub(rf"\g<scheme>{HIDDEN}@", text)
    return _QUERY_VALUE.sub(
        lambda found: f"{found['name']}={HIDDEN}" if is_secret(found["name"]) else found[0],
        shown,
    )


def is_secret(name: str) -> bool:
    """Whether a parameter of this name holds a secret."""
    return _SECRET.search(name) is not None
