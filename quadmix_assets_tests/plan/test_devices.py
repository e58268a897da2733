import pytest

from quadmix_assets.plan.devices import NAMED_DEVICES
from quadmix_assets.plan.this_machine import ThisMachine
from quadmix_assets.settings import TrainingSettings, load_settings

TINY = TrainingSettings(architecture="tiny")
REGMIX = TrainingSettings(architecture="regmix-1m")


def test_rates_of_the_h100_are_those_that_were_measured() -> None:
    """Of benchmarks/RESULTS.md: 2.86M tokens/s of tiny, 2.27M of regmix-1m."""
    h100 = NAMED_DEVICES["h100"]
    tiny_flops = 6 * (2 * (4 * 64**2 + 3 * 64 * 128 + 2 * 64 * 128) + 2_048 * 64)
    assert h100.training_rate(TINY, 2_048) / tiny_flops == pytest.approx(2.86e6, rel=0.02)
    regmix_flops = 6 * (2 * (4 * 256**2 + 3 * 256 * 512 + 2 * 256 * 2_048) + 50_000 * 256)
    assert h100.training_rate(REGMIX, 50_000) / regmix_flops == pytest.approx(2.27e6, rel=0.02)


@pytest.mark.parametrize("name", NAMED_DEVICES)
def test_larger_models_use_a_device_better(name: str) -> None:
    device = NAMED_DEVICES[name]
    small = TrainingSettings(architecture="small")
    rates = [device.training_rate(recipe, 4_096) for recipe in (TINY, small, REGMIX)]
    assert rates == sorted(rates)
    assert device.small <= rates[0] < rates[-1] <= device.large_rate
    assert device.described


def test_this_machine_is_measured_once_per_recipe() -> None:
    machine = ThisMachine.of(load_settings("demo"))
    rate = machine.training_rate(TINY, 1_000)
    # From a core of a phone to a large server.
    assert 1e8 < rate < 1e15
    assert machine.training_rate(TINY, 1_000) == rate
    assert machine.training_rate(REGMIX, 50_000) == machine.large_rate, "too large to be tried"
