from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from quadmix_assets.defs.explain import explain_document
from quadmix_assets.defs.resources import ProjectResource
from quadmix_assets.outputs import PLOTS
from quadmix_assets.store import Store
from quadmix_assets_tests.mix.explained import DOMAIN_MIX, THETA_MIX, fill, settings_of


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    settings = settings_of(folder)
    fill(Store(settings.resolve(settings.lake)), settings)
    return folder / "explained.yaml"


def run(profile: Path, **config: Any) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return explain_document.execute_in_process(
            run_config={"ops": {"explain_one_document": {"config": config}}},
            resources={"project": ProjectResource(profile=str(profile))},
            instance=instance,
            raise_on_error=False,
        )


def answer(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    (output,) = [event for event in result.all_events if event.is_successful_output]
    data: Any = output.event_specific_data
    return {name: value.value for name, value in data.metadata.items()}


def error_of(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data.user_failure_data.description)  # type: ignore[union-attr]


def test_the_answer_is_in_the_metadata_of_the_output(profile: Path) -> None:
    shown = answer(run(profile, document_id="b-010"))
    assert shown["explanation"].startswith("**document b-010**")
    assert "in all mixes" in shown["explanation"]
    assert (shown["shard"], shown["row"]) == ("b", 11)
    assert {f"mix_{THETA_MIX}", f"mix_{DOMAIN_MIX}"} < set(shown)
    assert "data:image/png;base64," in shown["place"]
    settings = settings_of(profile.parent)
    assert Store(settings.resolve(settings.lake)).path(PLOTS, "explain_document.place.png").exists()


def test_unknown_ids_are_answered_too(profile: Path) -> None:
    shown = answer(run(profile, document_id="b_010"))
    assert "b-010" in shown["explanation"]
    assert "shard" not in shown


def test_what_cannot_be_asked_fails_with_words(profile: Path) -> None:
    assert "no document is named" in error_of(run(profile))
    assert "there is no mix 'mine'" in error_of(run(profile, document_id="b-010", mix="mine"))
