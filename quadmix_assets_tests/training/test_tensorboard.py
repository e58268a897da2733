import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from quadmix_assets.store import Store
from quadmix_assets.training.loop import StackProgress
from quadmix_assets.training.tensorboard import TensorBoardLog, tensorboard_folder
from quadmix_assets.training.train_stack import train_stack
from quadmix_assets_tests.training.stacks import make_job, make_stacks


def scalars_of(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard itself reads."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def progress(step: int, *losses: float) -> StackProgress:
    return StackProgress(step, 10, 0, 0.5, np.array(losses), 0)


def test_every_proxy_is_a_run_and_failed_ones_end(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path, [3, 12])
    log.add(progress(0, np.nan, np.nan))
    log.add(progress(4, 2.5, 3.5))
    log.add(progress(9, 1.5, np.nan))
    log.close([{"law": 1.25}, {"law": None}], 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theta-00003", "theta-00012"]
    assert scalars_of(tmp_path / "theta-00003", "train/loss_nats") == [(4, 2.5), (9, 1.5)]
    assert scalars_of(tmp_path / "theta-00003", "target/law") == [(10, 1.25)]
    assert scalars_of(tmp_path / "theta-00012", "train/loss_nats") == [(4, 3.5)]
    assert scalars_of(tmp_path / "theta-00012", "train/learning_rate") == [(4, 0.5)]


def test_a_training_that_goes_on_hides_what_was_written_beyond_its_checkpoint(
    tmp_path: Path,
) -> None:
    killed = TensorBoardLog(tmp_path, [0])
    for step in (2, 4, 6):
        killed.add(progress(step, float(step)))
    killed.close([{}], 6)
    resumed = TensorBoardLog(tmp_path, [0])
    resumed.add(progress(4, np.nan))
    resumed.add(progress(8, 8.0))
    resumed.close([{}], 10)
    found = scalars_of(tmp_path / "theta-00000", "train/loss_nats")
    assert found == [(2, 2.0), (4, 4.0), (8, 8.0)]


def test_a_part_writes_what_it_returns(tmp_path: Path) -> None:
    job = dataclasses.replace(
        make_job(tmp_path, n_tokens=640), tensorboard_folder=tmp_path / "runs"
    )
    (result,) = train_stack(job, make_stacks(1)[0], lambda report: None)
    ((step, loss),) = scalars_of(tmp_path / "runs" / "theta-00000", "target/held_out")
    assert step == 10
    assert loss == pytest.approx(result.losses["held_out"][0])


def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(UPath(tmp_path))
    assert tensorboard_folder(store) == tmp_path / "tensorboard"
    with pytest.raises(ValueError, match="TensorBoard files are written to local lakes only"):
        tensorboard_folder(Store(UPath("memory://lake")))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'quadmix-assets\[tensorboard\]'"):
        tensorboard_folder(store)
