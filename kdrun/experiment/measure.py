"""The end of a run: one look at the test part, what the network costs, and the files that stay."""

from __future__ import annotations

import csv
import io
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import kdrun
from kdrun.data.split import Part
from kdrun.experiment.failures import check_finite
from kdrun.experiment.lab import EVALUATION_BATCH, Lab
from kdrun.experiment.running import validation_of
from kdrun.experiment.special import special_classes
from kdrun.metrics.cost import flops, latency_ms, parameters
from kdrun.metrics.quality import quality
from kdrun.models import FromParents, Telling
from kdrun.runs.spec import RunSpec
from kdrun.signals import UNLABELLED
from kdrun.training.evaluation import logits_of


def finish(
    spec: RunSpec, network: nn.Module, lab: Lab, *, rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any]
) -> dict[str, Any]:
    """Evaluates a run's network on the test part, the only time that it is read, and writes what stays.

    rows: its epochs. told: of its result, what the network does not show: epochs, seconds, teacher's signals.
    Raises NotFinite, and writes nothing, where a number of the result is not.
    """
    data = lab.data(spec.dataset)
    part, test = data.training_part(spec), data.splits.test
    logits = logits_of(network, data.evaluate_on(test), lab.device, "fp32")  # whatever it was trained in
    measured = quality(logits, test.labels)
    example = next(iter(data.evaluate_on(test))).inputs
    batch_size = min(spec.recipe["batch_size"], len(test), EVALUATION_BATCH)
    result: dict[str, Any] = {
        **identity(spec),
        "teacher_signals": told["teacher_signals"],
        "epochs": told["epochs"],
        "train_examples": len(part),
        "labelled_examples": int((part.labels != UNLABELLED).sum()),
        "validation_examples": len(data.splits.validation),
        "test_examples": len(test),
        "test_accuracy": measured.accuracy,
        "test_nll": measured.nll,
        "test_ece": measured.ece,
        **validation_of(network, data, spec.precision),
        **(network.told() if isinstance(network, Telling) else {}),
        "parameters": parameters(network),
        "flops": flops(network, example),
        "latency_ms": round(latency_ms(network, example), 4),
        "latency_batch_ms": round(latency_ms(network, example, batch_size=batch_size), 4),
        "batch_size": batch_size,
        "train_seconds": round(told["train_seconds"], 3),
        "compile": lab.compiling.wanted,
        "cuda_graphs": lab.compiling.cuda_graphs,
        **environment(lab.device),
        "data_placement": data.placement,
        **({"special_classes": classes} if (classes := special_classes(network, data)) else {}),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    check_finite(result, "in the evaluation of the finished network")
    predictions, names = _predictions(logits, test), data.splits.class_names
    state = network.own_state() if isinstance(network, FromParents) else network.state_dict()
    folder = lab.store.folder(spec)
    folder.finish(state, rows, predictions, names, result)
    return folder.result()


def identity(spec: RunSpec) -> dict[str, Any]:
    """The columns that say which run a row is about."""
    return {
        "run_id": spec.run_id,
        "kind": spec.kind,
        "model": spec.model["name"],
        "dataset": spec.dataset["name"],
        "seed": spec.seed,
        "data_seed": spec.data_seed,
        "knowledge": "+".join(spec.terms) or None,
        "mode": spec.mode["name"] if spec.mode else None,
        "tau": spec.tau,
        "alpha": spec.alpha,
        "parents": "+".join(parent.run_id for parent in spec.parents) or None,
        "precision": spec.precision,
        "teacher_dtype": spec.teacher_dtype if spec.calls_teacher else None,
    }


@cache
def environment(device: torch.device) -> dict[str, Any]:
    """What the run was made with."""
    on_gpu = device.type == "cuda"
    return {
        "device": str(device),
        "hardware": torch.cuda.get_device_name(device) if on_gpu else platform.machine(),
        "threads": torch.get_num_threads(),
        "kdrun": kdrun.__version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "tf32": torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32,
        "python": platform.python_version(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
    }


def _commit() -> str | None:
    """The commit of the checkout that kdrun runs from, marked where files differ from it; None outside of one."""
    root = Path(kdrun.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def _predictions(logits: Tensor, part: Part) -> str:
    confidence, predicted = logits.double().softmax(1).max(1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "label", "predicted", "confidence"])
    columns = (part.ids.tolist(), part.labels.tolist(), predicted.tolist(), confidence.tolist())
    writer.writerows([i, y, p, f"{c:.6f}"] for i, y, p, c in zip(*columns, strict=True))
    return text.getvalue()
