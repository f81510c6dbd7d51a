from __future__ import annotations

import torch

from kdrun.machine import available_bytes, cpus, spare_cpus


def test_the_memory_of_this_machine_is_known() -> None:
    assert 2**28 < available_bytes(torch.device("cpu")) < 2**48


def test_one_cpu_is_left_to_this_process() -> None:
    assert 1 <= spare_cpus() <= max(1, cpus() - 1)
