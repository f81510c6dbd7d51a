"""SimKD: the student keeps its trunk and takes over the teacher's classifier."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from torch import Tensor, nn

from kdrun.errors import UserError
from kdrun.knowledge.adapters import Norm
from kdrun.knowledge.feature import mean_squared_error
from kdrun.knowledge.layers import feature
from kdrun.knowledge.maps import as_map, last_stage, pooled_to
from kdrun.signals import Batch, Pair, Signals


class SimKD(nn.Module):
    """The student's last features, through a trained projector, are to equal the teacher's.

        L = mean (projector(F_s) - F_t)^2

    Projector: 1x1, 3x3 and 1x1 convolutions, each with batch normalisation and ReLU. Of two maps that
    differ in size the larger is averaged to the smaller size, the student's before the projector. The
    network to evaluate and to keep is `export(student, teacher)`: the projector is part of it. Labels and other
    terms reach the trunk through the student's own classifier, which is then dropped.

    student_layer, teacher_layer: names of maps or vectors; None for the last stage. The teacher's average
        over pixels must be what its classifier reads.
    reduction: the projector is teacher's channels / reduction wide inside, >= 1.
    Raises UserError where a layer is absent, is not what the teacher's classifier reads, or reduction is
    below 1.
    Source: Chen et al. 2022, arXiv:2203.14001; alone, without labels (alpha = 1), in the paper.
    """

    minimum: float | None = None  # the projector starts at random

    def __init__(self, pair: Pair, *, student_layer: str | None, teacher_layer: str | None, reduction: int) -> None:
        super().__init__()
        if reduction < 1:
            raise UserError(f"reduction must be >= 1, got {reduction}")
        source = last_stage(pair.student, "student", student_layer)
        target = last_stage(pair.teacher, "teacher", teacher_layer)
        self.student_layers, self.teacher_layers = (source,), (target,)
        ours = as_map(feature(pair.student, "student", source))
        theirs = as_map(feature(pair.teacher, "teacher", target))
        pooled = feature(pair.teacher, "teacher", "pooled").shape[1]
        if theirs.shape[1] != pooled:
            raise UserError(
                f"simkd reuses the teacher's classifier, which reads {pooled} values, but its layer "
                f"{target!r} has {theirs.shape[1]} channels; "
                "set teacher_layer to the layer that is pooled, or to pooled"
            )
        self.size = (min(ours.shape[2], theirs.shape[2]), min(ours.shape[3], theirs.shape[3]))
        self.width = theirs.shape[1]
        self.projector = _projector(ours.shape[1], theirs.shape[1], reduction)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        ours = pooled_to(as_map(student.features[self.student_layers[0]]), self.size)
        theirs = pooled_to(as_map(teacher.features[self.teacher_layers[0]]), self.size)
        return mean_squared_error(self.projector(ours), theirs)

    def export(self, student: nn.Module, teacher: nn.Module) -> nn.Module:
        """The network that this term trains: student's trunk, projector, teacher's classifier.

        student, teacher: the networks of the pair; the result shares their modules and the projector, so it
            needs to be made only once and follows the training. The student's own `classifier` is left out.
        Returns a module from the student's inputs to logits (B, K).
        Raises UserError where the teacher's `classifier` is no linear layer on its pooled features.
        """
        classifier = getattr(teacher, "classifier", None)
        if not isinstance(classifier, nn.Linear) or classifier.in_features != self.width:
            raise UserError(
                f"simkd needs a teacher whose `classifier` is one linear layer on {self.width} values, "
                f"{type(teacher).__name__} has {classifier}"
            )
        return ReusedClassifier(_trunk(student), self.student_layers[0], self.size, self.projector, classifier)


class ReusedClassifier(nn.Module):
    """A student's trunk up to a named layer, a projector and another network's classifier.

        logits = classifier(mean over pixels of projector(F_s))

    trunk: the student. layer: a name of its `layers`, or the path of one of its submodules.
    size: height and width to which the layer is averaged before the projector.
    Its layers are the student's, but `pooled` is what enters the classifier.
    """

    def __init__(
        self,
        trunk: nn.Module,
        layer: str,
        size: tuple[int, int],
        projector: nn.Module,
        classifier: nn.Module,
    ) -> None:
        super().__init__()
        self.trunk, self.projector, self.classifier = trunk, projector, classifier
        layers: Mapping[str, tuple[str, str]] = getattr(trunk, "layers", {})
        self.path, self.side = layers.get(layer, (layer, "output"))
        self.layers = {name: (f"trunk.{path}", side) for name, (path, side) in layers.items()}
        self.layers["pooled"] = ("classifier", "input")
        self.size = size

    def forward(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        projected = self.projector(pooled_to(as_map(self._feature(inputs)), self.size))
        logits: Tensor = self.classifier(projected.mean(dim=(2, 3)))
        return logits

    def _feature(self, inputs: Tensor | dict[str, Tensor]) -> Tensor:
        read: list[Tensor] = []
        module = self.trunk.get_submodule(self.path)
        hook = (
            module.register_forward_hook(lambda _m, _args, output: read.append(output))
            if self.side == "output"
            else module.register_forward_pre_hook(lambda _m, args: read.append(args[0]))
        )
        with hook:
            self.trunk(inputs)
        return read[-1]


def _trunk(student: nn.Module) -> nn.Module:
    """The student with its classifier, which is not part of what is kept, replaced by the identity.

    Only the modules that hold the classifier are copied; all others and all tensors are the student's own.
    """
    classifier = getattr(student, "classifier", None)
    if not isinstance(classifier, nn.Module):
        return student
    shared = [module for module in student.modules() if classifier not in module.modules()]
    known: dict[int, object] = {id(one): one for one in (*shared, *student.parameters(), *student.buffers())}
    return deepcopy(student, known | {id(classifier): nn.Identity()})


def _projector(source: int, target: int, reduction: int) -> nn.Sequential:
    width = max(1, target // reduction)
    layers: list[nn.Module] = []
    for inputs, outputs, kernel in ((source, width, 1), (width, width, 3), (width, target, 1)):
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        layers += [convolution, Norm(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
