"""Objects from configuration: the only caller of Hydra's instantiate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click import ClickException

from kdrun.data.sizes import part_sizes
from kdrun.data.sources.folder import files_digest
from kdrun.errors import UserError, UsersCodeError, is_in_users_code, where
from kdrun.runs.code import ZOO

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from kdrun.data import Source
    from kdrun.modes.loss import Term
    from kdrun.runs.spec import RunSpec
    from kdrun.signals import Pair, Signals
    from kdrun.training.learner import Update

# Keys of a term's file that belong to the combined loss, not to the term.
OF_THE_LOSS = ("weight", "warmup_epochs", "mix", "label_weight")

_NOT_MADE = (ImportError, TypeError, AttributeError, ValueError)


@contextmanager
def users_errors(doing: str) -> Iterator[None]:
    """What a user's own code raises inside becomes a UserError of one line with its file and line; all else passes.

    doing: what failed, for the line. For what runs before training.
    """
    try:
        yield
    except ClickException:
        raise
    except (Exception, SystemExit) as error:
        if not is_in_users_code(error) or _is_out_of_memory(error):
            raise
        raise UsersCodeError(f"{doing}: {where(error)}") from error


def make(config: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
    """What `_target_` names, called with `args`, the rest of the configuration and `kwargs`.

    Raises UserError where the target does not exist or does not take the keys, and for whatever a user's own code
    raises; a UserError raised by the target itself comes through as it is.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        # Hydra would take values among `kwargs` for configuration.
        return instantiate(dict(config), _convert_="all", _partial_=True)(*args, **kwargs)
    except ClickException:
        raise
    except (Exception, SystemExit) as error:
        cause = _without_hydra(error)
        if isinstance(cause, ClickException):
            raise cause from None
        if is_in_users_code(cause) and not _is_out_of_memory(cause):
            raise UsersCodeError(f"cannot make {config.get('_target_')}: {where(cause)}") from error
        if isinstance(cause, (InstantiationException, *_NOT_MADE)):
            reason = " ".join(str(cause).split())[:200]
            raise UserError(f"cannot make {config.get('_target_')}: {reason}") from error
        raise cause from error


def _is_out_of_memory(error: BaseException) -> bool:
    from kdrun.machine import is_out_of_memory  # which imports torch

    return is_out_of_memory(error)


def _without_hydra(error: BaseException) -> BaseException:
    """The error that Hydra has wrapped; its own where it found nothing to call."""
    from hydra.errors import InstantiationException

    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    # Hydra's own words for a module that cannot be imported; within them, what the module's code raised.
    inner = error.__cause__
    return inner if isinstance(error, ImportError) and inner is not None and is_in_users_code(inner) else error


def reads_labels(config: Mapping[str, Any]) -> bool:
    """Whether the class that `_target_` names says that it reads labels."""
    from hydra.utils import get_object

    with users_errors(f"cannot import {config['_target_']}"):
        return bool(getattr(get_object(config["_target_"]), "reads_labels", False))


def source_of(dataset: Mapping[str, Any]) -> Source:
    """The source of a data set, nothing loaded yet."""
    source: Source = make(dataset["source"])
    return source


def dataset_description(config: Mapping[str, Any], data_root: Path) -> dict[str, Any]:
    """The configuration of a data set, without what each role takes of it, with `content_of` its source.

    Raises UserError where the data are not there and cannot be had.
    """
    kept = {key: value for key, value in config.items() if key not in ("train_size", "omit")}
    return kept | content_of(config, data_root)


def content_of(dataset: Mapping[str, Any], data_root: Path) -> dict[str, Any]:
    """What a data set's files hold, and which values of its source only say where these files lie.

    content: as the source identifies it.
    places: by the dotted key of a value, None where the source declares it, otherwise the digest of the file or folder
        that it names (see `kdrun.data.Source`); left out where there are none.
    Raises UserError where the data are not there and cannot be had.
    """
    source = source_of(dataset)
    with users_errors(f"cannot identify the data of {dataset['name']}"):
        content = dict(source.identity(data_root))
    declared: tuple[str, ...] | None = getattr(type(source), "places", None)
    places = dict(_named_files(dataset["source"], data_root, "")) if declared is None else dict.fromkeys(declared)
    return {"content": content} | ({"places": places} if places else {})


def _named_files(value: Any, data_root: Path, key: str) -> Iterator[tuple[str, str]]:
    """The dotted keys of values that name files or folders which are there, each with a digest of what these hold."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for name, one in items:
        if name == "_target_":
            continue
        yield from _named_files(one, data_root, f"{key}.{name}".lstrip("."))
    if isinstance(value, str) and value.strip("./~"):  # "/" or "." would be everything there is
        try:
            path = Path(value).expanduser()
            found = files_digest(data_root / path) or files_digest(path)  # a user's class may look in either
        except (OSError, ValueError, RuntimeError):  # no path at all: too long, a null byte, an unknown user's home
            return
        if found:
            yield key, found


def training_examples(dataset: Mapping[str, Any], data_root: Path) -> int | None:
    """How many examples the training part of a data set has, without loading it; None where its source cannot say.

    Raises UserError for sizes of the other parts that do not fit.
    """
    source = source_of(dataset)
    count = getattr(source, "examples", None)
    if not callable(count):  # some have a number of this name
        return None
    sizes = {key: dataset[key] for key in ("test_size", "validation_size")}
    return part_sizes(count(data_root), **sizes).train


def network_of(model: Mapping[str, Any], image_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """A fresh network for images (C, H, W), drawn from the current random state; the members of a cohort in order."""
    import torch

    if "members" in model:
        from kdrun.models.cohort import Cohort

        return Cohort([network_of(one, image_shape, num_classes) for one in model["members"]])
    channels, height, width = image_shape
    if height != width:
        raise UserError(f"images must be square, got {height}x{width}; set dataset.source.image_size")
    arguments = {key: value for key, value in model.items() if key != "name"}
    network: nn.Module = make(arguments, in_channels=channels, image_size=height, num_classes=num_classes)
    return network.to(memory_format=torch.channels_last)  # what convolutions are fastest in


def without_weights(spec: RunSpec) -> RunSpec:
    """A finished run's spec, to build its network from: a library's weights, which its own replace, are not read."""

    def unread(model: Mapping[str, Any]) -> dict[str, Any]:
        members = {"members": [unread(one) for one in model["members"]]} if "members" in model else {}
        return {**model, **members, **({"read_weights": False} if model.get("_target_") == ZOO else {})}

    return replace(spec, model=unread(spec.model))


def shapes_of(network: nn.Module, name: str, images: tuple[int, int, int], num_classes: int) -> Signals:
    """Shapes of the logits and of every layer that a network names, for images (C, H, W). Costs no arithmetic.

    network: on the meta device. name: what to call it in the error.
    Raises UserError when its logits do not have one column for each class, and for what a user's own code raises.
    """
    import torch

    from kdrun.models import TappedNetwork
    from kdrun.models.taps import layers_of

    tapped = TappedNetwork(network, layers_of(network))
    shape = "x".join(map(str, images))
    with torch.no_grad(), users_errors(f"{name} cannot take two images of {shape} (on the meta device, shapes alone)"):
        signals = tapped(torch.zeros(2, *images, device="meta"))
    tapped.close()
    logits: object = signals.logits  # whatever a user's network returns
    if not isinstance(logits, torch.Tensor):
        kind = type(logits).__name__
        raise UserError(f"{name} returns a {kind}; its forward must return one tensor of logits (B, {num_classes})")
    if tuple(signals.logits.shape) != (2, num_classes):
        given = "x".join(map(str, signals.logits.shape[1:]))
        raise UserError(f"{name} gives {given} outputs, but the data set has {num_classes} classes")
    return signals


def terms_of(configs: Mapping[str, Mapping[str, Any]], pair: Pair) -> dict[str, Term]:
    """Knowledge terms by name, with adapters made for the pair's shapes."""
    from kdrun.modes.loss import Term

    terms = {}
    for name, config in sorted(configs.items()):  # the order in which they were typed changes nothing
        numbers = {key: value for key, value in config.items() if key not in OF_THE_LOSS}
        weight, warmup = float(config.get("weight", 1.0)), int(config.get("warmup_epochs", 0))
        if weight < 0 or warmup < 0:
            raise UserError(f"knowledge.{name}: weight and warmup_epochs must be at least 0")
        terms[name] = Term(make(numbers, pair), weight, warmup, mixed=bool(config.get("mix")))
    return terms


def update_of(recipe: Mapping[str, Any], parameters: list[Tensor], steps_per_epoch: int) -> Update:
    """The recipe's optimiser over the parameters, and its schedule."""
    from kdrun.training.learner import Update

    optimizer: Optimizer = make(recipe["optimizer"], parameters)
    schedule: LRScheduler = make(
        recipe["schedule"], optimizer, epochs=recipe["epochs"], steps_per_epoch=steps_per_epoch
    )
    return Update(optimizer, schedule)
