"""Ranges: what a composed configuration may hold beyond its types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kdrun.config.explain import shown
from kdrun.config.schema import MEANS, Cache, Config
from kdrun.errors import UserError

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
TRANSFERS = ("labelled", "both", "unlabelled")
CACHES = ("auto", "table", "schedule", "off")
CACHE_DTYPES = ("fp32", "fp16")
GREATEST_SEED = 2**53  # whole numbers above it do not survive JSON and CSV readers that hold them as float64

_NAME = re.compile(r"[\w.+-]+")


def check(config: Config) -> None:
    """Refuses values out of range.

    Raises UserError with the key, the range and the value.
    """
    if not config.tau > 0:
        raise UserError(f"tau must be > 0, got {config.tau:g}")
    if not 0 <= config.alpha <= 1:
        raise UserError(f"alpha must be between 0 (labels only) and 1 (teacher only), got {config.alpha:g}")
    _at_least(0, "label_weight", config.label_weight)
    if config.precision not in PRECISIONS:
        raise UserError(f"precision must be one of {', '.join(PRECISIONS)}, got {config.precision!r}")
    if config.cuda_graphs and not config.compile:
        raise UserError("cuda_graphs=true needs compile=true")
    if not config.outputs.strip():
        raise UserError("outputs is empty; name a folder, such as outputs=outputs")
    _check_names(config)
    _check_schedules(config)
    _check_mode(config.mode)
    _check_crowd(config)
    _check_specialists(config)
    if not config.knowledge:
        raise UserError("knowledge is empty; choose at least one term, such as knowledge=response/kd")
    _check_terms("knowledge", config.knowledge)
    _check_mean(config)
    for name, control in config.controls.items():
        _check_control(f"controls.{name}", control)
    _check_seeds(config)
    _check_sizes(config)
    _check_share("data_memory_share", config.data_memory_share)
    _at_least(0, "loader_workers", config.loader_workers)
    _check_executor(config.executor)
    _check_cache(config.cache)


def _check_names(config: Config) -> None:
    """Names become parts of folders' names."""
    sections = {"teacher": config.teacher, "student": config.student, "mode": config.mode}
    names = {key: section.get("name") if isinstance(section, dict) else None for key, section in sections.items()}
    for key, name in {"dataset": config.dataset.name, **names}.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise UserError(f"{key}.name must be letters, digits and any of _ . + -, got {shown(name)}")


def _check_mode(mode: Mapping[str, Any]) -> None:
    for key, says in (("plan", "which runs it needs"), ("trains", "what a batch's losses are")):
        if not isinstance(mode.get(key), dict) or "_target_" not in mode[key]:
            raise UserError(f"mode.{key} must be a group with a _target_: it says {says}")


def _check_schedules(config: Config) -> None:
    """Each is constant, or has a start in the range of what it changes."""
    alpha, tau = config.alpha_schedule, config.tau_schedule
    _check_start("alpha_schedule", alpha, lambda start: 0 <= start <= 1, "between 0 and 1")
    _check_start("tau_schedule", tau, lambda start: start > 0, "> 0")
    if (
        "_target_" in tau
        and config.teacher["mean"] == "arithmetic"
        and max(config.teacher["members"], len(config.teachers)) > 1
    ):
        raise UserError(
            "the arithmetic mean of several teachers is taken at one tau and cannot follow tau_schedule; "
            "use teacher.mean=geometric"
        )


def _check_start(key: str, schedule: Any, fits: Callable[[float], bool], expected: str) -> None:
    if not isinstance(schedule, dict) or set(schedule) not in ({"name"}, {"name", "_target_", "start"}):
        raise UserError(f"{key} must be a group with name, _target_ and start; a name alone is a constant")
    if "start" in schedule and not (_is_number(schedule["start"]) and fits(schedule["start"])):
        raise UserError(f"{key}.start must be {expected}, got {shown(schedule['start'])}")


def _check_crowd(config: Config) -> None:
    members, mean = config.teacher["members"], config.teacher["mean"]
    _at_least(1, "teacher.members", members)
    if members > 1 and config.teachers:
        raise UserError(f"teacher.members={members} and teachers=[...] exclude each other; leave one of them out")
    if mean not in MEANS:
        raise UserError(f"teacher.mean must be {' or '.join(MEANS)}, got {shown(mean)}")


def _check_mean(config: Config) -> None:
    """An arithmetic mean of several teachers is taken at the root's tau: a term must not look at it at another."""
    several = max(config.teacher["members"], len(config.teachers)) > 1
    others = {name: term["tau"] for name, term in config.knowledge.items() if term.get("tau", config.tau) != config.tau}
    if several and others and config.teacher["mean"] == MEANS[0]:
        name, tau = next(iter(others.items()))
        raise UserError(
            f"knowledge.{name}.tau={tau:g}, but the arithmetic mean of several teachers is taken at "
            f"tau={config.tau:g}; use one tau, or teacher.mean=geometric"
        )


def _check_specialists(config: Config) -> None:
    count = config.teacher["specialists"]
    if count != 0 and not (isinstance(count, int) and count >= 2):
        raise UserError(f"teacher.specialists must be 0 (none) or at least 2, got {shown(count)}")
    crowd = "teachers" if config.teachers else "teacher.members" if config.teacher["members"] > 1 else None
    if count and crowd:
        raise UserError(f"specialists advise one teacher: give either teacher.specialists={count} or {crowd}, not both")


def _check_terms(key: str, terms: Any) -> None:
    if not isinstance(terms, dict):
        raise UserError(f"{key} must be a group of terms, got {shown(terms)}")
    for name, term in terms.items():
        if not isinstance(term, dict) or "_target_" not in term:
            raise UserError(f"{key}.{name} is no term with a _target_: begin its file with `# @package {key}.NAME`")
        if not isinstance(term.get("mix", False), bool):
            raise UserError(f"{key}.{name}.mix must be true (shares the labels' weight by alpha) or false (added)")
        weight = term.get("label_weight")
        if weight is not None and not (_is_number(weight) and weight >= 0):
            raise UserError(f"{key}.{name}.label_weight must be a number of at least 0, or null, got {shown(weight)}")


def _check_control(key: str, control: Any) -> None:
    if not isinstance(control, dict) or set(control) - {"label_weight"} != {"targets", "alpha", "knowledge"}:
        raise UserError(
            f"{key} must have targets, alpha and knowledge, may have label_weight, and nothing else: "
            "begin its file with `# @package controls.NAME`"
        )
    alpha = control["alpha"]
    if not (_is_number(alpha) and 0 <= alpha <= 1):
        raise UserError(f"{key}.alpha must be between 0 and 1, got {shown(alpha)}")
    _at_least(0, f"{key}.label_weight", control.get("label_weight"))
    _check_terms(f"{key}.knowledge", control["knowledge"])


def _check_seeds(config: Config) -> None:
    if not config.seeds:
        raise UserError("seeds is empty; give at least one, such as seeds=[0]")
    if len(set(config.seeds)) < len(config.seeds):
        raise UserError(f"seeds must differ from each other, got seeds={config.seeds}")
    seeds = [("seeds", seed) for seed in config.seeds]
    seeds += [("teacher_seed", config.teacher_seed), ("dataset.split_seed", config.dataset.split_seed)]
    seeds += [] if config.data_seed is None else [("data_seed", config.data_seed)]
    for key, seed in seeds:
        _at_least(0, key, seed)
        if seed > GREATEST_SEED:
            raise UserError(f"{key} must be at most {GREATEST_SEED}, got {seed}")


def _check_sizes(config: Config) -> None:
    for key, value in (("train_size", config.train_size), ("teacher_train_size", config.teacher_train_size)):
        _at_least(1, key, value)
    if config.transfer not in TRANSFERS:
        raise UserError(f"transfer must be one of {', '.join(TRANSFERS)}, got {config.transfer!r}")
    if bad := [one for one in config.dataset.omit if isinstance(one, bool) or not isinstance(one, str | int)]:
        raise UserError(f"dataset.omit takes names of classes or their indices, such as [3], got {shown(bad[0])}")
    for role, recipe in (("teacher", config.train.teacher), ("student", config.train.student)):
        _at_least(1, f"train.{role}.epochs", recipe.epochs)
        _at_least(1, f"train.{role}.batch_size", recipe.batch_size)
        _at_least(0, f"train.{role}.augment.padding", recipe.augment.padding)


def _check_executor(executor: Mapping[str, Any]) -> None:
    """Here and not where they are used, so that they are refused also when nothing is left to train."""
    for key, minimum in (("workers", 1), ("threads", 1), ("max_group", 1), ("stack_up_to", 0), ("state_every_s", 0)):
        _at_least(minimum, f"executor.{key}", executor.get(key))
    _check_share("executor.memory_share", executor.get("memory_share", 1))


def _check_share(key: str, share: float) -> None:
    if not 0 < share <= 1:
        raise UserError(f"{key} must be above 0 and at most 1, got {share:g}")


def _check_cache(cache: Cache) -> None:
    for key, value, known in (("kind", cache.kind, CACHES), ("dtype", cache.dtype, CACHE_DTYPES)):
        if value not in known:
            raise UserError(f"cache.{key} must be one of {', '.join(known)}, got {value!r}")
    _at_least(0, "cache.max_bytes", cache.max_bytes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at_least(minimum: int, key: str, value: float | None) -> None:
    if value is not None and value < minimum:
        raise UserError(f"{key} must be at least {minimum}, got {value}")
