"""Device, precision, threads and out-of-memory handling of neural networks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

# Loading torch takes longer than most commands and steps need for their work: whoever uses it does.
if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16", "float16")


def choose_device(device: str) -> "torch.device":
    """The torch device of that name; "auto" is the GPU with the most free memory, or the CPU."""
    import torch

    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        free = [torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count())]
        return torch.device("cuda", free.index(max(free)))
    return torch.device("cpu")


def precision_dtype(precision: str) -> "torch.dtype":
    """The dtype of the matrix products.

    Raises:
        ValueError: the name is unknown.
    """
    import torch

    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {', '.join(PRECISIONS)}")
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def training_precision(precision: str, device: "torch.device") -> str:
    """The precision that models are trained in; "auto" is the one with faster matrix products.

    That is bfloat16 on devices with instructions for it (about 1.7 times as fast on a CPU), and
    float32 on others, which would have to emulate it.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: "torch.device") -> bool:
    """Whether the device multiplies bfloat16 by instructions of its own."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def inference_precision(precision: str, device: "torch.device") -> str:
    """The precision that documents are scored in; "auto" is 16-bit on a GPU and float32 on a CPU.

    Unlike `training_precision` it does not depend on the type of CPU, so that scores do not either.
    """
    import torch

    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "float32"


def choose_compiled(setting: str, device: "torch.device") -> bool:
    """Whether to compile the training step; "auto" compiles on a GPU only.

    On a CPU compiling takes half a minute per process, which pays off in long trainings only.
    """
    return device.type == "cuda" if setting == "auto" else setting == "on"


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let torch use that many CPU threads for the duration of the block.

    The number comes from the settings, not from the machine, because it can change the last bits of
    a sum.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def free_memory(device: "torch.device") -> int:
    """Free memory of a GPU in bytes; for the CPU, all physical memory of the machine."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch raised this error for lack of memory; the CPU's is a plain RuntimeError."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
