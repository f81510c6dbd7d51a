"""A user's network with tied weights, as teacher and as student, from the command line to `kdrun explain`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from calling import SUPPORT, TOY, Kdrun, start_process
from carrying import lab_at, plan
from toy import Tied

from kdrun.experiment.running import finished_network
from kdrun.models.folding import folded

NETWORKS = ("teacher=tied", "student=tied")
COMMAND = ("distill", "--config-dir", str(SUPPORT / "conf"), "dataset=blobs", "train=toy", *NETWORKS, "seeds=[0]")
PARAMETERS = (9 * 8 + 8) + 9 * 8 * 8 + 2 * (8 + 8) + 6 * 8 + 4 * 8 + 4  # the convolutions' weight once


def _files(outputs: Path, name: str) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in outputs.glob(f"runs/*/{name}")}


def test_tied_weights_train_are_killed_go_on_and_are_explained(kdrun: Kdrun, tmp_path: Path) -> None:
    command = (*COMMAND, "controls=[]", "knowledge=[response/kd,relation/rkd]")
    assert kdrun(*command, "outputs=whole").code == 0
    process = start_process(*command, "outputs=killed", "executor.state_every_s=0", cwd=tmp_path)
    while process.poll() is None and not list(tmp_path.glob("killed/runs/*/state.pt")):
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert list(tmp_path.glob("killed/runs/*/state.pt"))
    assert kdrun("runs", "--verify", "--outputs", "killed").code == 0
    assert kdrun(*command, "outputs=killed").code == 0
    for name in ("weights.safetensors", "predictions.csv"):
        assert _files(tmp_path / "killed", name) == _files(tmp_path / "whole", name)
    results = [json.loads(content) for content in _files(tmp_path / "whole", "result.json").values()]
    assert {result["parameters"] for result in results} == {PARAMETERS}
    assert kdrun("explain", "student-", "outputs=whole", *TOY[:2]).code == 0
    assert kdrun("runs", "--verify", "--outputs", "whole").code == 0


def test_a_network_with_tied_weights_is_restored_tied_and_folds_to_the_same_outputs(
    kdrun: Kdrun, tmp_path: Path
) -> None:
    assert kdrun("train-teacher", *COMMAND[1:-1]).code == 0
    lab = lab_at(tmp_path / "outputs")
    (teacher,) = [spec for spec in plan(*NETWORKS, "controls=[]") if spec.kind == "teacher"]
    network = finished_network(teacher, lab)
    assert isinstance(network, Tied)
    assert network.second.weight is network.first.weight
    inputs = torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        copy = folded(network)
        torch.testing.assert_close(copy(inputs), network.eval()(inputs))
    assert isinstance(copy.first_norm, torch.nn.Identity)
