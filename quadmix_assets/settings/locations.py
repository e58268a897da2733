"""Paths and URIs of the settings: how they are opened, and what of them may be shown.

A URI may hold credentials (`ftp://user:password@host/folder`). They are handed to the storage
client when the location is opened, and are part of no path after that: not of messages, metadata,
logs or files. A URI whose query is a signature is refused, because it is needed at every access and
so could not be kept out of them.
"""

import base64
import re
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, PlainSerializer
from upath import UPath

HIDDEN = "***"
_SECRET = re.compile(r"sig|secret|token|password|passwd|credential|api_?key|access_?key", re.I)
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/'\"]*@")
_QUERY_VALUE = re.compile(r"(?P<name>[?&;][^=\s&'\"]*)=(?P<value>[^\s&'\"]+)")
_NAMED = {"ftp", "sftp", "ssh", "smb"}
_WEB = {"http", "https"}


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
        lambda found: f"{found['name']}={HIDDEN}" if _SECRET.search(found["name"]) else found[0],
        shown,
    )


def open_location(location: str) -> UPath:
    """The path of an absolute path or a URI; its credentials go to the storage client.

    Raises:
        ValueError: as `checked_location`.
    """
    checked_location(location)
    shown = without_credentials(location)
    return UPath(shown, **_client_options(location))


def checked_location(location: str) -> str:
    """The location itself, if it can be used, and its credentials be kept out of what is shown.

    Raises:
        ValueError: braces hold something else than the word profile, it has a character that no
            path has, its query holds a signature or a key, or its protocol takes no credentials in
            a URI; the message does not repeat credentials.
    """
    for found in re.findall(r"\{([^{}]*)\}", location):
        if found != "profile":
            raise ValueError(
                f"{redacted(location)!r} holds {{{found}}}: in braces a path has {{profile}} "
                "alone, the profile's name"
            )
    if "\0" in location:
        raise ValueError(f"{redacted(location)!r} holds a NUL character, which no path has")
    if "://" not in location:
        return location
    secret = [name for name, _ in parse_qsl(urlsplit(location).query) if _SECRET.search(name)]
    if secret:
        raise ValueError(
            f"{redacted(location)} holds a secret in its query ({', '.join(secret)}), which would "
            "be recorded with every path: give credentials to the storage client instead, for "
            "example in its environment variables"
        )
    _client_options(location)
    return location


Location = Annotated[
    str, AfterValidator(checked_location), PlainSerializer(without_credentials, return_type=str)
]
"""A path or URI; `{profile}` stands for the profile's name. Stored without its credentials."""


def _client_options(location: str) -> dict[str, Any]:
    """The credentials of a URI as options of its fsspec file system."""
    scheme, found, rest = location.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if not found or not at:
        return {}
    name, _, password = (unquote(part) for part in user.partition(":"))
    if scheme in _NAMED:
        return {"username": name, "password": password}
    if scheme in _WEB:
        basic = base64.b64encode(f"{name}:{password}".encode()).decode()
        return {"client_kwargs": {"headers": {"Authorization": f"Basic {basic}"}}}
    if scheme in {"s3", "s3a"}:
        return {"key": name, "secret": password}
    raise ValueError(
        f"{redacted(location)}: credentials in a URI of {scheme} are not read; give them to the "
        "storage client, for example in its environment variables"
    )
