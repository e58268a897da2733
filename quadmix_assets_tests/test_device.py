import pytest
import torch

from quadmix_assets.device import (
    choose_compiled,
    choose_device,
    free_memory,
    inference_precision,
    is_out_of_memory,
    precision_dtype,
    torch_threads,
    training_precision,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("able", "expected"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"),
     ({"avx512_bf16": False, "avx2": True}, "float32"), ({}, "float32")],
)  # fmt: skip
def test_precision_follows_the_processor(
    able: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert training_precision("auto", CPU) == expected
    assert training_precision("float32", CPU) == "float32"
    assert training_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(("able", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_precision_of_a_gpu(able: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    assert training_precision("auto", GPU) == expected


def test_precision_of_scores_does_not_follow_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert inference_precision("auto", CPU) == "float32"
    assert inference_precision("bfloat16", CPU) == "bfloat16"
    for able, expected in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda able=able: able)
        assert inference_precision("auto", GPU) == expected


def test_precisions_have_a_dtype() -> None:
    assert precision_dtype("bfloat16") == torch.bfloat16
    with pytest.raises(ValueError, match="'int8'; expected one of float32, bfloat16, float16"):
        precision_dtype("int8")


def test_compiling_is_for_gpus_unless_it_is_asked_for() -> None:
    found = [choose_compiled(setting, CPU) for setting in ("auto", "on", "off")]
    assert found == [False, True, False]
    assert choose_compiled("auto", GPU)
    assert not choose_compiled("off", GPU)


def test_device_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    free = {0: 5, 1: 9, 2: 7}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda n: (free[n], 10))
    assert choose_device("auto") == torch.device("cuda", 1), "the one with the most free memory"
    assert choose_device("cpu") == CPU


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_memory() -> None:
    assert 2**28 < free_memory(CPU) < 2**50
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.float64)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
