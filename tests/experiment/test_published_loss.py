"""The loss that trains is the published one: the same weights after twelve steps of SGD."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import torch
from carrying import carry_out, lab_at
from torch.nn import functional

from kdrun.experiment.lab import Lab
from kdrun.experiment.networks import parts_of
from kdrun.experiment.running import begin, finished_network
from kdrun.models import TappedNetwork
from kdrun.runs.spec import RunSpec
from kdrun.teachers.network import NetworkTeacher
from kdrun.teachers.rounding import Rounded
from kdrun.training.learner import Position
from kdrun.training.precision import autocast

STEPS = 12
SGD = (
    "train.student.optimizer._target_=torch.optim.SGD",
    "train.student.optimizer.lr=0.05",
    "train.student.optimizer.weight_decay=5e-4",
    "train.student.schedule._target_=kdrun.training.schedules.constant",
    "train.student.batch_size=8",
    "controls=[]",
)
CONV = ("teacher=conv_m", "student=conv_s")

# What is typed: the weight of the labels' cross-entropy, and that of each term, as published.
PUBLISHED: dict[tuple[str, ...], tuple[float, dict[str, float]]] = {
    ("knowledge=response/kd", "alpha=0.9"): (0.1, {"kd": 0.9}),
    ("knowledge=response/logit_std", "alpha=0.9", "tau=2"): (0.1, {"logit_std": 9.0}),
    ("knowledge=response/logit_mse", "alpha=1"): (0.0, {"logit_mse": 1.0}),
    ("knowledge=response/dkd", "knowledge.dkd.warmup_epochs=0"): (1.0, {"dkd": 1.0}),
    ("knowledge=response/dist",): (1.0, {"dist": 1.0}),
    ("knowledge=feature/fitnet",): (1.0, {"fitnet": 100.0}),
    ("knowledge=feature/attention",): (1.0, {"attention": 1000.0}),
    ("knowledge=feature/nst",): (1.0, {"nst": 50.0}),
    ("knowledge=feature/vid",): (1.0, {"vid": 1.0}),
    ("knowledge=feature/factor",): (1.0, {"factor": 200.0}),
    ("knowledge=feature/overhaul",): (1.0, {"overhaul": 0.001}),
    ("knowledge=feature/reviewkd", "knowledge.reviewkd.warmup_epochs=0"): (1.0, {"reviewkd": 1.0}),
    ("knowledge=feature/simkd",): (0.0, {"simkd": 1.0}),
    ("knowledge=relation/rkd",): (1.0, {"rkd": 1.0}),
    ("knowledge=relation/similarity",): (1.0, {"similarity": 3000.0}),
    ("knowledge=relation/correlation",): (1.0, {"correlation": 0.02}),
    ("knowledge=relation/pkt",): (1.0, {"pkt": 30000.0}),
    ("knowledge=relation/fsp", "teacher=resnet14", "student=resnet8"): (1.0, {"fsp": 1.0}),
    ("knowledge=relation/crd", "knowledge.crd.negatives=40"): (1.0, {"crd": 0.8}),
    ("knowledge=[response/kd,relation/crd]", "alpha=1", "label_weight=1", "knowledge.crd.negatives=40"): (
        1.0,
        {"kd": 1.0, "crd": 0.8},
    ),
}

Runs = Callable[..., dict[str, RunSpec]]


def _teacher(spec: RunSpec, lab: Lab) -> Callable[..., Rounded]:
    network = finished_network(spec.teacher, lab)
    return lambda layers: Rounded(NetworkTeacher(network, layers, autocast(lab.device, "fp32")), "fp32")


def _kdrun_steps(spec: RunSpec, lab: Lab) -> dict[str, torch.Tensor]:
    learner = begin(spec, lab).learner
    learner.train_mode()
    teacher = _teacher(spec, lab)(learner.mode.teacher_layers)
    for step, batch in enumerate(islice(lab.data(spec.dataset).training_batches(spec).epoch(0), STEPS)):
        learner.step(batch, teacher.signals(batch), Position(0, step))
    return dict(learner.mode.network.state_dict())


def _published_steps(
    spec: RunSpec, lab: Lab, labels: float, weights: dict[str, float], schedule_lr: float = 0.05
) -> dict[str, torch.Tensor]:
    """The published loop: one optimiser over the student and its adapters, L = labels * CE + sum of weight * L_k."""
    parts = parts_of(spec, lab.data(spec.dataset), lab.device, lambda parent: finished_network(parent, lab))
    terms = {name: term.knowledge for name, term in parts.terms.items()}
    student = TappedNetwork(parts.network, [layer for term in terms.values() for layer in term.student_layers])
    teacher = _teacher(spec, lab)([layer for term in terms.values() for layer in term.teacher_layers])
    modules = [parts.network, *(term for term in terms.values() if isinstance(term, torch.nn.Module))]
    trained = [one for module in modules for one in module.train().parameters()]
    optimizer = torch.optim.SGD(trained, lr=schedule_lr, weight_decay=5e-4)
    for step, batch in enumerate(islice(lab.data(spec.dataset).training_batches(spec).epoch(0), STEPS)):
        _seed_as_the_run_does(spec, step)
        output = student(batch.inputs)
        loss = sum(weight * terms[name](output, teacher.signals(batch), batch) for name, weight in weights.items())
        if labels:
            loss = loss + labels * functional.cross_entropy(output.logits, batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return dict(parts.network.state_dict())


def _seed_as_the_run_does(spec: RunSpec, step: int) -> None:
    from kdrun.seeding import mix

    torch.manual_seed(mix(spec.network_seed, 0, step))  # CRD draws its negatives


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize("typed", PUBLISHED, ids=lambda typed: "+".join(PUBLISHED[typed][1]))
def test_twelve_steps_of_the_published_formula_give_the_same_weights(
    store: Path, specs: Runs, typed: tuple[str, ...]
) -> None:
    runs, lab = specs(*CONV, *SGD, *typed) if "student=resnet8" not in typed else specs(*SGD, *typed), lab_at(store)
    assert carry_out([runs["teacher"]], store) == []
    labels, weights = PUBLISHED[typed]
    ours, theirs = _kdrun_steps(runs["student"], lab), _published_steps(runs["student"], lab, labels, weights)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "typed",
    [
        ("knowledge=feature/fitnet", "knowledge.fitnet.weight=0", "alpha=0.5"),
        ("knowledge=feature/vid", "knowledge.vid.weight=0"),
        ("knowledge=feature/factor", "knowledge.factor.weight=0"),
        ("knowledge=relation/crd", "knowledge.crd.weight=0", "knowledge.crd.negatives=40"),
        ("knowledge=response/dkd", "knowledge.dkd.weight=0"),
        ("knowledge=feature/fitnet", "knowledge.fitnet.weight=0", "train.student.optimizer._target_=toy.ByLength"),
    ],
    ids=lambda typed: " ".join(typed),
)
def test_a_term_of_weight_0_leaves_the_baselines_bytes(tmp_path: Path, specs: Runs, typed: tuple[str, ...]) -> None:
    runs = specs(*CONV, "controls=[]", *typed)
    assert carry_out([runs["teacher"], runs["baseline"], runs["student"]], tmp_path) == []
    assert runs["baseline"] != runs["student"]
    store = lab_at(tmp_path).store
    baseline, student = (store.folder(runs[kind]).weights() for kind in ("baseline", "student"))
    assert all(torch.equal(value, student[name]) for name, value in baseline.items())
