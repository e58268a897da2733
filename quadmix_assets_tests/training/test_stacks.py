import dataclasses
from pathlib import Path
from typing import Any

from quadmix_assets.training.stacks import Stack, stack_key
from quadmix_assets_tests.training.stacks import make_job, stack_of


def test_whatever_decides_the_results_is_in_the_key(tmp_path: Path) -> None:
    job = make_job(tmp_path, n_tokens=640)
    (sample, hashes), other = stack_of(2)

    def changed(**values: Any) -> Stack:
        return [(dataclasses.replace(sample, **values), hashes), other]

    recipe = job.recipe.model_copy(update={"learning_rate": 1.0})
    architecture = dataclasses.replace(job.architecture, rotary_base=5.0)
    keys = [
        stack_key(job, [(sample, hashes), other]),
        stack_key(job, [other, (sample, hashes)]),
        stack_key(job, changed(sample_id=9)),
        stack_key(job, changed(seed=9)),
        stack_key(job, changed(copies=sample.copies + 1)),
        stack_key(job, changed(documents=sample.documents[::-1])),
        stack_key(dataclasses.replace(job, recipe=recipe), [(sample, hashes), other]),
        stack_key(dataclasses.replace(job, architecture=architecture), [(sample, hashes), other]),
        stack_key(dataclasses.replace(job, inputs_version="2"), [(sample, hashes), other]),
        stack_key(dataclasses.replace(job, separator_id=1), [(sample, hashes), other]),
        stack_key(dataclasses.replace(job, compiled="on"), [(sample, hashes), other]),
    ]
    assert len(set(keys)) == len(keys)
    unimportant = dataclasses.replace(
        job,
        n_threads=2,
        tensorboard_folder=tmp_path,
        checkpoint_seconds=1.0,
        compiled="auto",  # off on a CPU
    )
    assert stack_key(unimportant, stack_of(2)) == keys[0]
