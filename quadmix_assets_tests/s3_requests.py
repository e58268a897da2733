"""Counts the requests that reach a local S3 server."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from quadmix_assets_tests.s3 import s3_server

# Method and path of each request, in order; the paths of listings end with their prefix.
Requests = list[tuple[str, str]]


@contextmanager
def counting_server() -> Iterator[Requests]:
    """A server as `s3_server`, and the list of its requests, which grows."""
    requests: Requests = []
    start = ThreadedMotoServer.start

    def start_counting(moto: ThreadedMotoServer) -> None:
        start(moto)
        assert moto._server is not None
        application = moto._server.app

        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            query = environ.get("QUERY_STRING", "")
            listed = f"?{query}" if "list-type" in query else ""
            requests.append((environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}{listed}"))
            answer: Iterable[bytes] = application(environ, start_response)
            return answer

        moto._server.app = counted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadedMotoServer, "start", start_counting)
        with s3_server():
            requests.clear()
            yield requests
