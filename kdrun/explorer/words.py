"""What the explorer says in words, on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kdrun.explorer.view import View
from kdrun.metrics.quality import quality
from kdrun.runs.spec import RunSpec


class Network(NamedTuple):
    """One of the networks that are shown. accuracy: in [0, 1], on the test part."""

    role: str
    title: str
    run_id: str
    accuracy: float


class Meaning(NamedTuple):
    """What a term means."""

    key: str
    term: str
    text: str


TERMS: Sequence[Meaning] = (
    Meaning(
        "tau",
        "tau",
        "The temperature: logits are divided by it before the softmax. At 1 the network speaks as it was trained to; "
        "a larger tau lifts what it thinks of the other classes.",
    ),
    Meaning("alpha", "alpha", "The weight of the teacher's side of the loss: 0 is labels alone, 1 the teacher alone."),
    Meaning(
        "outside",
        "dark knowledge visible",
        "How much probability lies outside the top class: all that the teacher says beyond its answer.",
    ),
    Meaning(
        "entropy",
        "entropy",
        "How spread the probabilities are, −Σ p ln p: 0 for certainty. 1 nat is 1.443 bits.",
    ),
    Meaning(
        "pull",
        "pull",
        "Minus the gradient of the loss in the network's logit of a class: above 0 training pushes the logit up, "
        "below 0 down. L = (1 − alpha) CE + alpha tau² KL(teacher ‖ student), so pull = "
        "(1 − alpha)(label − p) + alpha tau (q at tau − p at tau), with p the network's probabilities and q the "
        "teacher's. tau² keeps its size when tau changes.",
    ),
    Meaning(
        "alike",
        "alike",
        "Row i, column j: the teacher's mean softened probability of class j over the test examples labelled i. "
        "How alike a pair is: the mean of both directions.",
    ),
)


def about(view: View) -> list[Network]:
    """The networks, the teacher first."""
    test = view.answers.test
    return [
        Network(role, said.spec.title, said.spec.run_id, quality(said.logits, test.labels).accuracy)
        for role, said in view.answers.said.items()
    ]


def caveats(view: View) -> list[str]:
    """What a reader must know that the numbers do not say."""
    said = []
    if view.learners and "baseline" not in view.learners:
        said.append("The store has no baseline for this run, so student and teacher stand alone.")
    for role, learner in view.learners.items():
        if learner.spec.terms and not _by_plain_kd(learner.spec):
            said.append(
                f"The {role} ({learner.spec.title}) was trained on another loss than response/kd, whose pull is shown."
            )
    return said


def _by_plain_kd(spec: RunSpec) -> bool:
    """Whether the loss of its training is the one whose gradient is shown."""
    (name, term), *others = spec.terms.items()
    is_plain = name == "kd" and not others and not spec.targets and spec.label_weight is None
    return is_plain and term["weight"] == 1 and not term["standardise"]
