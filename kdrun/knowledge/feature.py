"""Feature knowledge without a model of its own: hints, attention maps, neuron selectivity."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.knowledge.adapters import regressor
from kdrun.knowledge.layers import feature
from kdrun.knowledge.maps import over_pairs, paired_maps, same_size
from kdrun.knowledge.precision import in_float32
from kdrun.signals import Batch, Pair, Signals


@in_float32
def mean_squared_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of two features.

        L = mean (F_s - F_t)^2

    student, teacher: the same shape (B, ...), real; no gradient goes to the teacher.
    Returns a scalar (), >= 0.
    """
    return (student - teacher.detach()).square().mean()


class FitNet(nn.Module):
    """A hint: the student's layer, through a trained regressor, is to equal the teacher's.

        L = mean (r(F_s) - F_t)^2,    r: convolution, batch normalisation, ReLU (vectors: one linear layer)

    student_layer, teacher_layer: names of two maps or of two vectors.
    Raises UserError where a layer is absent or no regressor joins the two shapes.
    Source: Romero et al. 2015, arXiv:1412.6550, equation 3. Deviations: the mean instead of half the sum,
    as the published weight wants it, and the hint is learned along with the labels instead of in a stage
    before.
    """

    minimum: float | None = None  # the regressor starts at random

    def __init__(self, pair: Pair, *, student_layer: str, teacher_layer: str) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = (student_layer,), (teacher_layer,)
        source = feature(pair.student, "student", student_layer)
        target = feature(pair.teacher, "teacher", teacher_layer)
        self.regressor = regressor(source.shape, target.shape)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        guess = self.regressor(student.features[self.student_layers[0]])
        return mean_squared_error(guess, teacher.features[self.teacher_layers[0]])


@in_float32
def attention_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of normalised spatial attention maps.

        L = mean (n2(Q_s) - n2(Q_t))^2,    Q = mean_c F^2,    n2(x) = x / max(|x|_2, 1e-12)

    student: (B, C_s, H_s, W_s); teacher: (B, C_t, H_t, W_t). The larger attention map is averaged to the
        smaller one's size. No gradient goes to the teacher.
    Returns a scalar (), >= 0.
    Source: Zagoruyko & Komodakis 2017, arXiv:1612.03928, section 3.1. Equation 2 has the norm of the
    difference; here it is the mean of squares, as in the authors' code, for which their weight of 1000 is
    meant.
    """
    maps = [value.square().mean(dim=1, keepdim=True) for value in (student, teacher.detach())]
    student, teacher = (F.normalize(value.flatten(1), eps=1e-12) for value in same_size(*maps))
    return (student - teacher).square().mean()


@in_float32
def nst_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared maximum mean discrepancy between the channel maps of student and teacher.

        L = mean_b [ mean_ij k(s_i, s_j) + mean_ij k(t_i, t_j) - 2 mean_ij k(s_i, t_j) ]
        k(x, y) = (x . y)^2

    student: (B, C_s, H_s, W_s); teacher: (B, C_t, H_t, W_t). The larger maps are averaged to the smaller
        size; s_i and t_j are the channels' maps over the pixels, each at length 1. No gradient goes to the
        teacher.
    Returns a scalar (), >= 0.
    Source: Huang & Wang 2017, arXiv:1707.01219, with the polynomial kernel of degree 2 without constant.
    """
    sized = same_size(student, teacher.detach())
    student, teacher = (F.normalize(value.flatten(2), dim=2, eps=1e-12) for value in sized)
    within = _mean_kernel(student, student) + _mean_kernel(teacher, teacher)
    return (within - 2 * _mean_kernel(student, teacher)).mean()


def _mean_kernel(one: Tensor, other: Tensor) -> Tensor:
    """Mean over i, j of (one_i . other_j)^2, from (B, C, N) and (B, D, N) to (B,).

    The sum is |X Y^T|^2, and also <X^T X, Y^T Y>: whichever matrix is the smaller, C x D or N x N.
    """
    channels, others, pixels = one.shape[1], other.shape[1], one.shape[2]
    is_channels = channels * others <= pixels * pixels
    total = (one @ other.mT).square() if is_channels else (one.mT @ one) * (other.mT @ other)
    return total.sum(dim=(1, 2)) / (channels * others)


class Attention(nn.Module):
    """Spatial attention maps: `attention_loss`, summed over pairs of stages.

    student_layers, teacher_layers: equally many names of maps, paired in order; None for every stage.
    Raises UserError where a layer is absent or no map, or where the stages do not pair up.
    Source: Zagoruyko & Komodakis 2017, arXiv:1612.03928.
    """

    def __init__(
        self, pair: Pair, *, student_layers: Sequence[str] | None, teacher_layers: Sequence[str] | None
    ) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = paired_maps(pair, student_layers, teacher_layers)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return over_pairs(attention_loss, student, teacher, (self.student_layers, self.teacher_layers))


class NST(nn.Module):
    """Neuron selectivity: `nst_loss`, summed over pairs of stages.

    student_layers, teacher_layers: equally many names of maps, paired in order; None for every stage.
    Raises UserError where a layer is absent or no map, or where the stages do not pair up.
    Source: Huang & Wang 2017, arXiv:1707.01219.
    """

    def __init__(
        self, pair: Pair, *, student_layers: Sequence[str] | None, teacher_layers: Sequence[str] | None
    ) -> None:
        super().__init__()
        self.student_layers, self.teacher_layers = paired_maps(pair, student_layers, teacher_layers)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return over_pairs(nst_loss, student, teacher, (self.student_layers, self.teacher_layers))
