"""Factor transfer: the student reproduces a compressed form of the teacher's last features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.errors import UserError
from kdrun.knowledge.adapters import Norm
from kdrun.knowledge.feature import mean_squared_error
from kdrun.knowledge.maps import last_stage, map_of, same_size
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def factor_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of two factors, each normalised as a whole.

        L = mean |n2(f_s) - n2(f_t)|,    n2 over all channels and pixels of an example

    student, teacher: factors (B, M, H, W); no gradient goes to the teacher's.
    Returns a scalar (), >= 0.
    Source: Kim et al. 2018, arXiv:1802.04977, with p = 1; the mean in place of the sum, as in
    the authors' code. A widespread implementation normalises the factor's mean over channels instead; the
    paper does not.
    """
    ours = F.normalize(student.flatten(1), eps=1e-12)
    theirs = F.normalize(teacher.detach().flatten(1), eps=1e-12)
    return (ours - theirs).abs().mean()


class FactorTransfer(nn.Module):
    """A translator learns from the student's features the factors that a paraphraser finds in the teacher's.

        f_t = encoder(F_t)
        L = factor_loss(translator(F_s), f_t) + reconstruction_weight * mean (decoder(f_t) - F_t)^2

    Encoder, decoder and translator have three 3x3 convolutions each. The paraphraser (encoder and decoder)
    learns
    from the second part alone: the factors are a constant to the first, or the two would agree on an empty
        one.

    student_layer, teacher_layer: names of two maps; None for the last stage.
    factor_rate: the factor's channels as a share of the teacher's, > 0.
    reconstruction_weight: >= 0; its gradients reach the paraphraser only, so it sets its learning rate.
    Raises UserError where a layer is absent or no map, and for numbers out of range.
    Source: Kim et al. 2018, arXiv:1802.04977. Deviation: the paper trains the paraphraser to its end before
    the student starts; here both learn on the same batches, so the factors move while the paraphraser still
    learns.
    """

    minimum: float | None = None
    # The paraphraser's gradient leaves out the first part of the loss, so it is no derivative of the whole.
    stop_gradient: tuple[str, ...] = ("encoder.", "decoder.")

    def __init__(
        self,
        pair: Pair,
        *,
        student_layer: str | None,
        teacher_layer: str | None,
        factor_rate: float,
        reconstruction_weight: float,
    ) -> None:
        super().__init__()
        if not (factor_rate > 0 and reconstruction_weight >= 0):
            raise UserError(
                f"factor_rate must be > 0 and reconstruction_weight >= 0, got {factor_rate} and {reconstruction_weight}"
            )
        source = last_stage(pair.student, "student", student_layer)
        target = last_stage(pair.teacher, "teacher", teacher_layer)
        self.student_layers, self.teacher_layers = (source,), (target,)
        self.reconstruction_weight = reconstruction_weight
        channels = map_of(pair.teacher, "teacher", target).shape[1]
        factors = max(1, round(factor_rate * channels))
        self.translator = _convolutions(map_of(pair.student, "student", source).shape[1], factors)
        self.encoder = _convolutions(channels, factors)
        self.decoder = _convolutions(factors, channels)[:-2]  # real outputs: no norm, no activation at the end

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        ours, theirs = same_size(
            student.features[self.student_layers[0]], teacher.features[self.teacher_layers[0]].detach()
        )
        theirs = theirs.clone() if theirs.is_inference() else theirs  # the paraphraser's backward keeps it
        factors = self.encoder(theirs)
        reconstruction = mean_squared_error(self.decoder(factors), theirs)
        return factor_loss(self.translator(ours), factors) + self.reconstruction_weight * reconstruction


def _convolutions(source: int, target: int) -> nn.Sequential:
    """Three 3x3 convolutions, each with batch normalisation and leaky ReLU; the second changes the width."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((source, source), (source, target), (target, target)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), Norm(outputs), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)
