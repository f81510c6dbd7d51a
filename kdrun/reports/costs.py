"""What the networks of a point cost: columns of the comparison."""

from __future__ import annotations

from pandas import DataFrame

from kdrun.reports.points import names

Row = dict[str, object]

NAN = float("nan")


def costs(ours: DataFrame, teachers: DataFrame) -> Row:
    """Sizes, and latency at batch 1. Latencies of different devices have no ratio.

    ours, teachers: finished runs.
    """
    student_parameters, teacher_parameters = ours["parameters"].max(), teachers["parameters"].max()
    student_latency, teacher_latency = ours["latency_ms"].median(), teachers["latency_ms"].median()
    return {
        "student_parameters": student_parameters,
        "teacher_parameters": teacher_parameters,
        "compression": teacher_parameters / student_parameters,
        "student_flops": ours["flops"].max(),
        "teacher_flops": teachers["flops"].max(),
        "student_latency_ms": student_latency,
        "teacher_latency_ms": teacher_latency,
        "speed_up": teacher_latency / student_latency if _same_device(ours, teachers) else NAN,
    }


def batch_costs(ours: DataFrame, teachers: DataFrame) -> Row:
    """Latency at the batch that the student was trained with; the teacher's only where it is of that batch.

    ours, teachers: finished runs.
    """
    size = ours["batch_size"].max()
    student_latency = ours["latency_batch_ms"].median()
    teacher_latency = teachers.loc[teachers["batch_size"] == size, "latency_batch_ms"].median()
    return {
        "batch_size": size,
        "student_latency_batch_ms": student_latency,
        "teacher_latency_batch_ms": teacher_latency,
        "speed_up_batch": teacher_latency / student_latency if _same_device(ours, teachers) else NAN,
    }


def _same_device(ours: DataFrame, teachers: DataFrame) -> bool:
    return names(ours["device"]) == names(teachers["device"])
