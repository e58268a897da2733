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

from quadmix_assets.redaction import is_secret, redacted, without_credentials

_NAMED = {"ftp", "sftp", "ssh", "smb"}
_WEB = {"http", "https"}


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
    secret = [name for name, _ in parse_qsl(urlsplit(location).query) if is_secret(name)]
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
