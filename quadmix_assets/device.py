"""Where proxies are trained, in which precision, and with how many threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def choose_device(device: str) -> torch.device:
    """The torch device of that name; "auto" is a GPU where there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def choose_precision(precision: str, device: torch.device) -> str:
    """The precision of that name; "auto" is the one whose matrix products are faster.

    That is bfloat16 on a GPU and on a processor with instructions for it, where it measured about
    1.7 times as fast, and float32 on any other, which has to emulate it.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def choose_compiled(setting: str, device: torch.device) -> bool:
    """Whether to compile the training step; "auto" does on a GPU alone.

    On a CPU compiling takes half a minute for each process, which only long trainings win back.
    """
    return device.type == "cuda" if setting == "auto" else setting == "on"


@contextmanager
def torch_threads(n_threads: int) -> Iterator[None]:
    """Let torch use that many CPU threads for as long as the block runs.

    The number is fixed by settings and not by the machine, because it can change the last bits of
    a sum.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on the device; of a CPU, its physical memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch raised this error for want of memory."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
