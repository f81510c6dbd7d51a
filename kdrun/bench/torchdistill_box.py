"""The same pair trained by torchdistill (1.1 or later; the extra `bench`), where it is installed.

Its DistillationBox, KDLoss and MetricLogger are used as its image classification example uses them, on the networks
and PIL images of the peer loop: what differs is the framework.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

import torch
from torch.utils.data import RandomSampler

from kdrun.bench import Stop
from kdrun.bench.peer import pil_images, plain_recipe
from kdrun.bench.task import Task

LOG_EVERY = 1000  # steps


def is_installed() -> bool:
    return find_spec("torchdistill") is not None


def torchdistill_loop(task: Task, stop: Stop, *, workers: int) -> None:
    """Trains a copy of the task's student in float32; the task has a teacher."""
    from torchdistill.core.distillation import get_distillation_box
    from torchdistill.misc.log import MetricLogger, SmoothedValue

    logging.getLogger("torchdistill").setLevel(logging.WARNING)
    student, teacher = task.networks(torch.contiguous_format)
    box = get_distillation_box(
        teacher, student, {"train": pil_images(task)}, _config(task, workers), task.device, None, False, 1
    )
    for epoch in range(box.num_epochs):
        box.pre_epoch_process(epoch=epoch)
        metrics = MetricLogger(delimiter="  ")
        metrics.add_meter("lr", SmoothedValue(window_size=1, fmt="{value}"))
        for inputs, labels, extra in metrics.log_every(box.train_data_loader, LOG_EVERY):
            inputs, labels = inputs.to(task.device), labels.to(task.device)
            box.pre_forward_process()
            loss = box.forward_process(inputs, labels, extra)
            box.post_forward_process(loss=loss)
            metrics.update(loss=loss.item(), lr=box.optimizer.param_groups[0]["lr"])
            if stop():
                return
        box.post_epoch_process()


def _config(task: Task, workers: int) -> dict[str, Any]:
    optimizer = dict(plain_recipe(task)["optimizer"])
    name = optimizer.pop("_target_").rpartition(".")[2]
    kd = {
        "key": "KDLoss",
        "kwargs": {
            **{f"{role}_module_{key}": value for role in ("student", "teacher") for key, value in _LOGITS.items()},
            "temperature": task.tau,
            "alpha": task.label_weight,
            "beta": task.teacher_weight,
            "reduction": "batchmean",
        },
    }
    return {
        "num_epochs": task.recipe["epochs"],
        "train_data_loader": {
            "dataset_id": "train",
            "sampler": {"class_or_func": RandomSampler},
            "kwargs": {"batch_size": task.batch_size, "num_workers": workers, "drop_last": True},
        },
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": name, "kwargs": optimizer},
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": kd, "weight": 1.0}}},
        },
    }


_LOGITS = {"path": ".", "io": "output"}
