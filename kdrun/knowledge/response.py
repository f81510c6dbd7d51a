"""Response knowledge: losses on the networks' logits."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from kdrun.knowledge.precision import in_float32
from kdrun.knowledge.ranges import fraction, positive
from kdrun.signals import Batch, Pair, Signals


@in_float32
def kd(student_logits: Tensor, teacher_logits: Tensor, *, tau: float) -> Tensor:
    """Divergence of the student's softened probabilities from the teacher's.

    tau^2 * mean_b KL(softmax(teacher / tau) || softmax(student / tau)), 0 where they agree. As tau grows it
    tends to (1 / 2K) * mean_b |centred(student - teacher)|^2.

    student_logits, teacher_logits: (B, K). tau: temperature, > 0.
    Returns a scalar ().
    Source: Hinton, Vinyals and Dean 2015, arXiv:1503.02531. The paper writes the cross-entropy with the soft
    targets; it has the same gradient and differs by the teacher's entropy.
    """
    log_probs = F.log_softmax(student_logits / tau, dim=1)
    soft_targets = F.log_softmax(teacher_logits.detach() / tau, dim=1)
    return tau**2 * F.kl_div(log_probs, soft_targets, reduction="batchmean", log_target=True)


@in_float32
def logit_mse(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Mean over B * K of (student - teacher)^2; no temperature.

    student_logits, teacher_logits: (B, K).
    Returns a scalar ().
    Source: Ba and Caruana 2014, arXiv:1312.6184; Bucila, Caruana and Niculescu-Mizil 2006.
    """
    return F.mse_loss(student_logits, teacher_logits.detach())


@in_float32
def label_smoothing(student_logits: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Divergence of the student's probabilities from smoothed labels: what smoothing gives without a teacher.

    mean_b KL(u || softmax(student)), u = (1 - smoothing) * onehot(labels) + smoothing / K. Its gradient is
    that of the cross-entropy with label smoothing; its value is 0 where the student says u.

    student_logits: (B, K). labels: (B,) class indices. smoothing: in [0, 1].
    Returns a scalar ().
    Source: Szegedy et al. 2016, arXiv:1512.00567; as a teacher-free control Yuan et al. 2020,
    arXiv:1909.11723, whose hand-made teacher spreads the rest over the K - 1 other classes and is softened by
    a temperature, here neither.
    """
    classes = student_logits.shape[1]
    onehot = F.one_hot(labels, classes).to(student_logits.dtype)
    smoothed = (1 - smoothing) * onehot + smoothing / classes
    return F.kl_div(F.log_softmax(student_logits, dim=1), smoothed, reduction="batchmean")


@in_float32
def standardised(logits: Tensor) -> Tensor:
    """Logits of each example with mean 0 and standard deviation 1: (z - mean) / (std + 1e-7), std unbiased.

    logits: (B, K).
    Returns (B, K).
    Source: Sun et al. 2024, arXiv:2403.01427. The published `logit_std` is `kd` of these at a base
    temperature of 2; the temperature is then relative to each example's own spread.
    """
    spread = logits.std(dim=1, keepdim=True) + 1e-7
    return (logits - logits.mean(dim=1, keepdim=True)) / spread


class SoftTargets(nn.Module):
    """`kd`, on standardised logits where `standardise` is true. Raises UserError unless tau > 0."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self, pair: Pair, *, tau: float, standardise: bool) -> None:
        super().__init__()
        self.tau = positive("tau", tau)
        self.standardise = standardise

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        logits = student.logits, teacher.logits
        if self.standardise:
            logits = standardised(student.logits), standardised(teacher.logits)
        return kd(*logits, tau=self.tau)


class LogitMSE(nn.Module):
    """`logit_mse`."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    def __init__(self, pair: Pair) -> None:
        super().__init__()

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return logit_mse(student.logits, teacher.logits)


class LabelSmoothing(nn.Module):
    """`label_smoothing`; the teacher is not looked at. Raises UserError unless 0 <= smoothing <= 1."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()
    minimum = None
    reads_labels = True

    def __init__(self, pair: Pair, *, smoothing: float) -> None:
        super().__init__()
        self.smoothing = fraction("smoothing", smoothing)

    def forward(self, student: Signals, teacher: Signals, batch: Batch) -> Tensor:
        return label_smoothing(student.logits, batch.labels, smoothing=self.smoothing)
