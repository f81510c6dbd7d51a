"""Networks of torchvision, by their names there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from difflib import get_close_matches
from pickle import UnpicklingError
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.blocks import he_init
from kdrun.models.discovery import discover_layers, last_linear, run_on_shapes
from kdrun.models.taps import Tap

_RGB = 3
# Images on which the stages differ in resolution, whatever size the run's images have.
_USUAL_SIZE = 224


class TorchvisionNetwork(nn.Module):
    """A torchvision classifier with layers named as usual: logits (B, K) of images (B, C, H, W)."""

    def __init__(self, body: nn.Module, layers: dict[str, Tap]) -> None:
        super().__init__()
        self.body = body
        self.layers = {name: Tap(f"body.{path}", side) for name, (path, side) in layers.items()}

    @property
    def classifier(self) -> nn.Module:
        """The last linear layer. Raises UserError where the network has none."""
        path = last_linear(self.body)
        if path is None:
            raise UserError(f"{type(self.body).__name__} has no linear classifier; choose another model")
        return self.body.get_submodule(path)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.body(images)
        return logits


def build(
    *,
    model: str,
    weights: str | None,
    in_channels: int,
    image_size: int,
    num_classes: int,
    read_weights: bool = True,
) -> TorchvisionNetwork:
    """A torchvision classification network.

    model: its name in torchvision, such as resnet18.
    weights: None for random ones, DEFAULT or the name of a set of weights; they are downloaded at the first
        use and take images of three channels. A classifier for other than their number of classes is drawn
        anew.
    read_weights: false for the network that such weights belong to without the weights, where others will be loaded;
        nothing is downloaded then. They are not read on the meta device either.
    Raises UserError for an unknown name, weights that cannot be had or do not fit, and images the network
    cannot take.
    """
    _require_known(model)
    on_meta = torch.get_default_device().type == "meta"
    # Some of these networks compute with numbers while they are built, which the meta device cannot.
    with torch.device("cpu"):
        if weights is None:
            body = _untrained(model, in_channels, num_classes)
        else:
            body = _trained(model, weights, in_channels, num_classes, read=read_weights and not on_meta)
    for module in body.modules():
        if hasattr(module, "inplace"):
            # What enters an activation must still be there to be read afterwards.
            module.inplace = False  # type: ignore[assignment]
    _require_logits(model, body, (in_channels, image_size, image_size), num_classes)
    usual = max(_USUAL_SIZE, image_size)
    network = TorchvisionNetwork(body, discover_layers(body, (in_channels, usual, usual)))
    return network.to(torch.get_default_device())


def _untrained(model: str, in_channels: int, num_classes: int) -> nn.Module:
    from torchvision.models import get_model

    with catch_warnings():
        # They announce other initial weights for two networks that are refused below.
        simplefilter("ignore", FutureWarning)
        body: nn.Module = get_model(model, weights=None, num_classes=num_classes)
    if in_channels != _RGB:
        first = next(module for module in body.modules() if isinstance(module, nn.Conv2d))
        first.in_channels = in_channels
        first.weight = nn.Parameter(torch.empty(first.out_channels, in_channels, *first.kernel_size))
        he_init(first)
    return body


def resolved_weights(model: object, weights: object) -> dict[str, str]:
    """What the name of weights stands for in the torchvision that is here: their full name, and the hash of their file.

    Where torchvision does not know them, its version.
    """
    import torchvision

    try:
        chosen = torchvision.models.get_model_weights(model)[weights]
        name, url = str(chosen), str(chosen.url)
    except (ValueError, KeyError, AttributeError, TypeError):
        return {"torchvision": torchvision.__version__}
    digits = re.search(r"-([0-9a-f]{8,})\.\w+$", url)
    return {"name": name, "hash": digits[1] if digits else url}


@contextmanager
def _unread() -> Iterator[None]:
    """torchvision's functions then make the network that weights belong to (its size, its heads, how it scales its
    input, which are not those of weights=None), and leave its weights random."""
    from unittest.mock import patch

    from torchvision.models import WeightsEnum

    with patch.object(WeightsEnum, "get_state_dict", return_value={}), patch.object(nn.Module, "load_state_dict"):
        yield


def _trained(model: str, weights: str, in_channels: int, num_classes: int, *, read: bool) -> nn.Module:
    from torchvision.models import get_model, get_model_weights

    known = list(get_model_weights(model).__members__)
    if weights not in known:
        raise UserError(f"{model} has no weights {weights!r}; choose one of: null, {', '.join(known)}")
    if in_channels != _RGB:
        raise UserError(
            f"weights={weights} of {model} take images of 3 channels, the data set has {in_channels};"
            " type weights=null for random weights"
        )
    try:
        with nullcontext() if read else _unread():
            body: nn.Module = get_model(model, weights=weights, progress=False)
    except (
        OSError,
        EOFError,
        RuntimeError,
        UnpicklingError,
    ) as error:  # no network, no room, or a damaged file
        reason = f"{error}".partition("\n")[0]
        raise UserError(
            f"cannot get weights={weights} of {model} ({reason}); put a sound file into"
            f" {torch.hub.get_dir()}/checkpoints, or type weights=null for random weights"
        ) from error
    _replace_head(model, body, num_classes)
    return body


def _replace_head(model: str, body: nn.Module, num_classes: int) -> None:
    path = last_linear(body)
    if path is None:
        raise UserError(f"{model} has no linear classifier to replace; type weights=null, or choose another model")
    head = body.get_submodule(path)
    if isinstance(head, nn.Linear) and head.out_features != num_classes:
        body.set_submodule(path, nn.Linear(head.in_features, num_classes, bias=head.bias is not None))


def _require_known(model: str) -> None:
    import torchvision.models

    # Those of this module alone are the classifiers.
    known = torchvision.models.list_models(module=torchvision.models)
    if model not in known:
        near = get_close_matches(model, known, n=3) or known
        raise UserError(f"torchvision has no classifier {model!r}; choose one of: {', '.join(near)}")


def _require_logits(model: str, body: nn.Module, image: tuple[int, int, int], num_classes: int) -> None:
    size = f"{image[1]}x{image[2]}"
    try:
        output = run_on_shapes(body, image)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = f"{error}".partition("\n")[0]
        raise UserError(f"{model} cannot take images of {size} pixels ({reason}); choose another model") from error
    if not isinstance(output, Tensor) or output.shape[1:] != (num_classes,):
        raise UserError(f"{model} gives more than logits in training; choose another model, such as resnet18")
