"""Makes a network's random weights and inputs, and writes it as an ONNX file."""

import os
from typing import Dict, Sequence

import torch
from torch import nn
from torch.onnx import TrainingMode
from torchvision_networks import Network


def zero(g, x):
    """Swin v2 fills the middle of a bias with zeros in place."""
    return g.op("Mul", x, g.op("Constant", value_t=torch.tensor(0.0)))


torch.onnx.register_custom_op_symbolic("aten::zero", zero, 13)


def sample(network: Network) -> Dict[str, torch.Tensor]:
    def one(shape):
        if network.vocabulary:
            return torch.randint(0, network.vocabulary, (network.batch, *shape))
        return torch.randn(network.batch, *shape)

    return {name: one(shape) for name, shape in network.inputs.items()}


def make(network: Network, decided: bool = False) -> nn.Module:
    torch.manual_seed(0)
    model = network.build().eval()
    randomize(model, network, decided)
    return model


def randomize(model: nn.Module, network: Network, decided: bool) -> None:
    """
    Gives every tensor of equal elements (fresh norms, layer scales) a life of its own, and every BatchNormalization the
    statistics of a batch: without them values hardly vary with the input, maxima nearly tie, and which of them wins, and with
    it a gradient, is decided by rounding. `decided` makes every normalized channel three deviations more or less than 0: a ReLU
    passes nearly all of it or nearly nothing, and few of the values are so near 0 that rounding decides.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                centre = 1.0 if float(parameter.flatten()[0]) != 0 else 0.0
                parameter.normal_(centre, 0.1)
        for norm in norms if decided else []:
            norm.weight.normal_(0.5, 0.05)
            norm.bias.copy_(torch.where(torch.rand_like(norm.bias) < 0.5, -1.5, 1.5))
        if norms and network.outputs == ("out",):
            for norm in norms:
                norm.train()
                norm.momentum = 1.0
            model(*sample(network._replace(batch=8)).values())
        for norm in norms:
            norm.eval()
            norm.running_var.clamp_(min=0.01)


def export(model: nn.Module, network: Network, path: str, plain: bool) -> None:
    """As users export it, BatchNormalization and constants folded; or `plain`, weights under PyTorch's names."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    feeds = sample(network)
    free = {name: {0: "batch"} for name in [*feeds, *network.outputs]} if network.batch > 1 else None
    torch.onnx.export(
        model,
        tuple(feeds.values()),
        path,
        input_names=list(feeds),
        output_names=list(network.outputs),
        dynamic_axes=free,
        opset_version=network.opset,
        training=TrainingMode.PRESERVE if plain else TrainingMode.EVAL,
        do_constant_folding=not plain,
    )


def initializers_of(path: str) -> Sequence[str]:
    import onnx

    return [one.name for one in onnx.load(path, load_external_data=False).graph.initializer]
