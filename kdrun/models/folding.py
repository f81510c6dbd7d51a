"""Batch norms of a network that is trained no more, folded into the convolutions before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from copy import deepcopy

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kdrun.models.taps import Tap, layers_of

# Of these types exactly: a subclass may compute something else.
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same but for rounding, with fewer operations.

        w' = w * gamma / sqrt(var + eps),    b' = (b - mean) * gamma / sqrt(var + eps) + beta

    Forward and the paths of submodules stay: in place of a batch norm there is an identity. Nothing is folded across
    a place that the network names as a layer, read or not, so that the rounding does not depend on who reads what.
    Linear layers are left, because what follows them may normalise another dimension than theirs. A network that
    names no layers, or whose forward depends on values so that torch.fx cannot follow it, is copied as it is.
    """
    copy = deepcopy(network).eval()
    modules = dict(copy.named_modules())
    for conv, norm in list(_pairs(copy, modules)):
        if not any(_separates(tap, conv, norm) for tap in layers_of(network).values()):
            copy.set_submodule(conv, fuse_conv_bn_eval(modules[conv], modules[norm]))
            copy.set_submodule(norm, nn.Identity())
    return copy


def _pairs(network: nn.Module, modules: dict[str, nn.Module]) -> Iterator[tuple[str, str]]:
    """Paths of each convolution and the batch norm that alone uses its output; each of them is called once."""
    nodes = _nodes(network)
    calls = Counter(str(node.target) for node in nodes if node.op == "call_module")
    reads = {str(node.target).rpartition(".")[0] for node in nodes if node.op == "get_attr"}

    def fits(node: fx.Node, types: Collection[type[nn.Module]]) -> bool:
        path = str(node.target)
        if node.op != "call_module" or type(modules[path]) not in types:
            return False
        hooked = modules[path]._forward_hooks or modules[path]._forward_pre_hooks
        return calls[path] == 1 and path not in reads and not hooked

    for node in nodes:
        before = node.args[0] if node.args else None
        if isinstance(before, fx.Node) and len(before.users) == 1 and fits(before, _CONVOLUTIONS):
            norm = str(node.target)
            if fits(node, _NORMS) and modules[norm].running_mean is not None:
                yield str(before.target), norm


def _nodes(network: nn.Module) -> list[fx.Node]:
    """The steps of the network's forward pass; none where it cannot be followed."""
    try:
        return list(fx.Tracer().trace(network).nodes)
    except Exception:  # noqa: BLE001 - whatever a forward raises when it is given no values
        return []


def _separates(tap: Tap, conv: str, norm: str) -> bool:
    """Whether what flows between the two may be what is read there."""
    has_conv, has_norm = (path == tap.module or path.startswith(f"{tap.module}.") for path in (conv, norm))
    return has_conv and not has_norm if tap.side == "output" else has_norm and not has_conv
