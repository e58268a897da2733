"""Credentials in URIs: used, and never shown."""

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from quadmix_assets.corpus.planted import write_planted_corpus
from quadmix_assets.defs.discovery import register_shards
from quadmix_assets.partition_ranges import range_tags
from quadmix_assets.settings import SettingsError, load_settings
from quadmix_assets.settings.locations import (
    checked_location,
    open_location,
    redacted,
    without_credentials,
)
from quadmix_assets_tests.conftest import Project

USER, PASSWORD = "reader", "s3cr3t-word"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("data/raw", "data/raw"),
        ("/data/a@b/raw", "/data/a@b/raw"),
        ("s3://bucket/a@b/c", "s3://bucket/a@b/c"),
        (f"s3://{USER}:{PASSWORD}@bucket/x", "s3://bucket/x"),
        (f"ftp://{USER}:{PASSWORD}@host:21/x/y", "ftp://host:21/x/y"),
        (f"https://{USER}@host", "https://host"),
    ],
)
def test_what_is_shown_of_a_location(location: str, shown: str) -> None:
    assert without_credentials(location) == shown
    assert PASSWORD not in redacted(f"could not open {location}: timeout")


@given(
    user=st.text("abcXYZ019-._~%!$&()*+,;=", min_size=1),
    password=st.text("abcXYZ019-._~%!$&()*+,;=:", min_size=8),
)
def test_no_password_survives(user: str, password: str) -> None:
    location = f"sftp://{user}:{password}@host.example/folder"
    assert without_credentials(location) == "sftp://host.example/folder"
    assert redacted(f"in '{location}', line 3") == "in 'sftp://***@host.example/folder', line 3"


def test_credentials_go_to_the_storage_client() -> None:
    remote = open_location(f"ftp://{USER}:{PASSWORD}@host.example:21/folder")
    assert remote.storage_options["host"] == "host.example"
    assert PASSWORD not in str(remote)
    path = open_location(f"s3://{USER}:{PASSWORD}@bucket/folder")
    assert str(path) == "s3://bucket/folder"
    assert path.storage_options == {"key": USER, "secret": PASSWORD}
    below = path / "a" / "b.parquet"
    assert PASSWORD not in str(below)
    assert below.storage_options == path.storage_options


def test_signed_address_is_refused_without_repeating_it() -> None:
    signed = "https://host/shard.jsonl?X-Amz-Expires=60&X-Amz-Signature=abcdef0123"
    with pytest.raises(ValueError, match="X-Amz-Signature") as caught:
        checked_location(signed)
    assert "abcdef0123" not in str(caught.value)
    with pytest.raises(ValueError, match="gs are not read") as caught:
        checked_location(f"gs://{USER}:{PASSWORD}@bucket/x")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "lake: {uri: ftp://reader:s3cr3t-word@host/x}",
        "lake: ftp://reader:s3cr3t-word@host/x\n  corpus: 1",
        "lake: 'https://host/x?token=s3cr3t-word'",
        "targets: ftp://reader:s3cr3t-word@host/x",
    ],
)
def test_errors_of_settings_do_not_show_credentials(tmp_path: Path, line: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(line + "\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert PASSWORD not in str(caught.value)


class _Guarded(SimpleHTTPRequestHandler):
    """Serves a folder to those who know the password, and counts them."""

    welcomed = 0

    def send_head(self):  # type: ignore[no-untyped-def]
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.send_error(401)
            return None
        _Guarded.welcomed += 1
        return super().send_head()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and its address with credentials."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Guarded, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.mark.slow
def test_no_file_of_lake_or_instance_holds_a_password(
    guarded: tuple[Path, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    served, address = guarded
    write_planted_corpus(
        UPath(served), n_documents=40, n_shards=1, n_labelled_per_domain=1, n_target=40
    )
    project = Project(
        tmp_path / "project", targets=[{"name": "planted", "path": f"{address}/target.jsonl"}]
    )
    assert PASSWORD not in project.settings.model_dump_json()
    job = project.definitions().resolve_implicit_global_asset_job_def()
    chosen = [
        dg.AssetKey(name)
        for name in ("planted_corpus", "raw_shards", "reference_pool", "tokenizer", "target_sets")
    ]
    before = _Guarded.welcomed
    with project.instance() as instance:
        register_shards(instance, project.settings, project.store)
        for part in (chosen[:1], chosen[1:2], chosen[2:]):
            keys = instance.get_dynamic_partitions("shard") if part == chosen[1:2] else []
            assert job.execute_in_process(
                instance=instance, asset_selection=part, tags=range_tags(keys) if keys else {}
            ).success
            register_shards(instance, project.settings, project.store)
        assert _Guarded.welcomed > before, "the target set came from the guarded server"

        (served / "target.jsonl").unlink()
        assert not job.execute_in_process(
            instance=instance, asset_selection=chosen[-1:], raise_on_error=False
        ).success
    said = capfd.readouterr()
    assert PASSWORD not in said.out + said.err
    files = [path for path in (tmp_path / "project").rglob("*") if path.is_file()]
    holding = [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert holding == [project.profile], "only the profile that a person wrote"
