from pathlib import Path

import pytest

from quadmix_assets.cli import main
from quadmix_assets.settings import Settings
from quadmix_assets.store import Store
from quadmix_assets_tests.mix.explained import DOMAIN_MIX, THETA_MIX, fill, settings_of

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    settings: Settings = settings_of(folder)
    fill(Store(settings.resolve(settings.lake)), settings)
    return folder / "explained.yaml"


def test_a_document_is_explained_in_all_mixes(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--profile", str(profile), "explain", "a-011"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("document a-011\n")
    assert "in all mixes" in shown
    assert DOMAIN_MIX in shown
    assert f"mix {THETA_MIX} (quadmix, in production)" in shown


def test_one_mix_in_full_with_a_plot(
    profile: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "place.png"
    arguments = ["explain", "a-011", "--mix", DOMAIN_MIX, "--plot", str(plot)]
    assert main(["--profile", str(profile), *arguments]) == 0
    shown = capsys.readouterr().out
    assert f"mix {DOMAIN_MIX} (regmix)" in shown
    assert "in all mixes" not in shown
    assert f"plot: {plot}" in shown
    assert plot.read_bytes().startswith(PNG)


def test_no_plot_is_written_where_there_is_no_curve(
    profile: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "place.png"
    assert main(["--profile", str(profile), "explain", "new-0", "--plot", str(plot)]) == 0
    assert "no sampling curve" in capsys.readouterr().err
    assert not plot.exists()


def test_unknown_ids_and_mixes_end_with_their_own_status(
    profile: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--profile", str(profile), "explain", "a_011"]) == 1
    assert "a-011" in capsys.readouterr().out
    assert main(["--profile", str(profile), "explain", "a-011", "--mix", "mine"]) == 2
    assert "there is no mix 'mine'" in capsys.readouterr().err
