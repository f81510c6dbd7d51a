"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.models.checks import require_counts
from kdrun.models.stacked import stacked_linear
from kdrun.models.taps import Tap


class Mlp(nn.Module):
    """Fully connected network with ReLU on flattened images: logits (B, K) of images (B, C, H, W).

    widths: units of each hidden layer; empty for softmax regression.
    dropout, input_dropout: share of the hidden units and of the pixels set to 0 in training, in [0, 1).
    max_norm: bound of the L2 norm of the weights that enter a hidden unit, > 0, held by `constrain`; None for
        no bound.
    Its layers are hidden1, hidden2, ... (after the ReLU, before dropout), hidden1_preact, ... and pooled.
    Raises UserError for a number out of range.
    Source: max-norm and dropout by Srivastava et al. 2014, JMLR 15, section 5.1.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: int,
        num_classes: int,
        widths: Sequence[int],
        dropout: float,
        input_dropout: float,
        max_norm: float | None,
    ) -> None:
        super().__init__()
        _check(widths, dropout, input_dropout, max_norm)
        sizes = [in_channels * image_size**2, *widths]
        self.max_norm = max_norm
        self.noisy = dropout > 0 or input_dropout > 0
        self.entry = nn.Sequential(nn.Flatten(), nn.Dropout(input_dropout))
        self.hidden = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(size, width), nn.ReLU(), nn.Dropout(dropout))
                for size, width in zip(sizes, widths, strict=False)
            )
        )
        self.classifier = nn.Linear(sizes[-1], num_classes)
        self.layers = _layers(len(widths))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.hidden(self.entry(images)))
        return logits

    def stacked(self, inputs: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        """Logits (K, B, classes) of K networks on the same images (see `kdrun.models.Stackable`), without dropout."""
        *hidden, classifier = zip(parameters[::2], parameters[1::2], strict=True)  # weights and biases
        values = inputs.flatten(1)
        for weight, bias in hidden:
            values = stacked_linear(values, weight, bias).relu()
        return stacked_linear(values, *classifier)

    @torch.no_grad()
    def constrain(self) -> None:
        """Scales rows of hidden matrices (weights into one unit) whose norm exceeds `max_norm` down to it."""
        if self.max_norm is None:
            return
        for layer in self.hidden.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.renorm_(p=2, dim=0, maxnorm=self.max_norm)


def _layers(depth: int) -> dict[str, Tap]:
    named = {}
    for number in range(depth):
        relu = f"hidden.{number}.1"
        named[f"hidden{number + 1}"] = Tap(relu)
        named[f"hidden{number + 1}_preact"] = Tap(relu, "input")
    return {**named, "pooled": Tap("classifier", "input")}


def _check(widths: Sequence[int], dropout: float, input_dropout: float, max_norm: float | None) -> None:
    require_counts("widths", widths)
    for name, share in (("dropout", dropout), ("input_dropout", input_dropout)):
        if not (isinstance(share, int | float) and 0 <= share < 1):
            raise UserError(f"{name} must be >= 0 and < 1, got {share}")
    if max_norm is not None and not (isinstance(max_norm, int | float) and max_norm > 0):
        raise UserError(f"max_norm must be > 0, or null for no bound, got {max_norm}")
