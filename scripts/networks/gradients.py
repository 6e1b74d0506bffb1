"""Records a network's gradients as PyTorch computes them in double precision."""

import copy
import json
import os
from typing import Dict, List, NamedTuple

import torch
from making import export, initializers_of, sample
from torch import nn
from torchvision_networks import Network

attempts = 4
roundings = 2
calm = 1e-4


class Step(NamedTuple):
    """A loss and its gradients."""

    kind: str
    target: torch.Tensor
    out: torch.Tensor
    loss: torch.Tensor
    gradients: Dict[str, torch.Tensor]


def step(model: nn.Module, feeds: Dict[str, torch.Tensor], seed: int) -> Step:
    torch.manual_seed(seed)
    model.zero_grad()
    kind = next(model.parameters()).dtype
    out = model(*[x.to(kind) if x.is_floating_point() else x for x in feeds.values()])
    if out.dim() == 2:
        target = torch.randint(0, out.shape[1], (out.shape[0],))
        loss, name = nn.functional.cross_entropy(out, target), "cross-entropy"
    else:
        target = torch.randn(out.shape, dtype=torch.float32)
        loss, name = nn.functional.mse_loss(out, target.to(kind)), "mse"
    loss.backward()
    gradients = {key: p.grad.detach().clone() for key, p in model.named_parameters() if p.grad is not None}
    return Step(name, target, out.detach(), loss.detach(), gradients)


def largest_error(found: Dict[str, torch.Tensor], reference: Dict[str, torch.Tensor]) -> float:
    """The largest ‖g − ref‖ ÷ ‖ref‖ of any parameter; those that vanish but for rounding have no scale."""
    largest = max(float(g.norm()) for g in reference.values())
    return max(
        (float((found[key].double() - g.double()).norm() / g.double().norm()) for key, g in reference.items() if float(g.norm()) > 1e-12 * largest),
        default=0.0,
    )


def rounded_elsewhere(model: nn.Module, seed: int) -> nn.Module:
    """The network with every weight moved by about a rounding error, relative 2⁻²³."""
    torch.manual_seed(seed)
    moved = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.mul_(1 + 2**-23 * torch.randn_like(parameter))
    return moved


def record_gradients(model: nn.Module, network: Network, path: str) -> None:
    """
    Where a ReLU's input or the lead of a maximum is as small as a rounding error, a gradient has no value that single
    precision could tell: either side may be taken, and everything before that place shows it. So the input is sought whose
    gradient does not depend on rounding. PyTorch decides alone: of a few random inputs, the one on which its single precision,
    with the weights as they are and moved by a rounding error, strays least from its double precision; the first that is
    calm is taken. Smaller batches have fewer such places and are tried when larger ones are not calm.
    """
    export(model, network, f"{path}.onnx", plain=True)
    initializers = set(initializers_of(f"{path}.onnx"))
    double = model if getattr(model, "single_precision", False) else copy.deepcopy(model).double()
    singles = [model, *[rounded_elsewhere(model, seed) for seed in range(roundings)]]
    best = None
    batches = sorted({network.batch, 1}, reverse=True)
    for batch, seed in [(batch, seed) for batch in batches for seed in range(attempts // len(batches))]:
        torch.manual_seed(seed)
        feeds = sample(network._replace(batch=batch))
        exact = step(double, feeds, seed)
        errors: List[float] = []
        for one in singles:
            errors.append(largest_error(step(one, feeds, seed).gradients, exact.gradients))
            if best and max(errors) > best[0]:
                break
        if best is None or max(errors) < best[0]:
            exact = exact._replace(gradients={key: g.float() for key, g in exact.gradients.items()})
            best = (max(errors), errors[0], feeds, exact)
        if best[0] < calm:
            break
    moved, single, feeds, exact = best
    tensors = {f"in:{key}": x for key, x in feeds.items()}
    tensors["labels" if exact.kind == "cross-entropy" else "target"] = exact.target
    tensors.update({"out": exact.out.float(), "loss": exact.loss.double()})
    tensors.update({f"grad:{key}": g for key, g in exact.gradients.items() if key in initializers})
    metadata = {"loss": exact.kind, "mode": "eval", "single": f"{single:.1e}", "rounding": f"{moved:.1e}"}
    write_safetensors(f"{path}.safetensors", tensors, metadata)


def write_safetensors(path: str, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str]) -> None:
    """8 bytes of header length, a JSON header, the bytes."""
    names = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
    header: Dict[str, object] = {"__metadata__": metadata}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().numpy().tobytes())
