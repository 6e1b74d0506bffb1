"""Exports networks to ONNX, with PyTorch's own gradients beside them.

    /usr/bin/python3 scripts/export-networks.py FOLDER [NAME…]

Needs Debian's python3-torch, python3-torchvision, python3-onnx and libopenblas0-pthread. Weights are random and
nothing is downloaded. Without names every network of `torchvision_networks` and `own_networks.networks` is exported:

    FOLDER/NAME.onnx                 as users export it: BatchNormalization folded, constants folded, free batch
    FOLDER/gradients/NAME.onnx       weights under PyTorch's names, nothing folded
    FOLDER/gradients/NAME.safetensors  in:<input>, labels or target, out, loss, grad:<initializer>, computed in float64

Files that are there already are left alone.
"""

import json
import os
import sys
import time
import warnings
from typing import Callable, Dict, List, NamedTuple, Tuple

import onnx
import torch
import torchvision
from torch import nn
from torch.onnx import TrainingMode

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")


class Network(NamedTuple):
    """How a network is made and what it is fed: shapes without the batch, int64 inputs as (shape, vocabulary)."""

    build: Callable[[], nn.Module]
    inputs: Dict[str, Tuple[int, ...]]
    opset: int = 13
    vocabulary: int = 0
    batch: int = 2


def classifier(name: str, size: int, opset: int = 13, **options) -> Network:
    return Network(lambda: getattr(torchvision.models, name)(weights=None, num_classes=10, **options), {"x": (3, size, size)}, opset)


class FirstOutput(nn.Module):
    """Segmentation models answer with a dictionary."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)["out"]


def segmenter(name: str, size: int) -> Network:
    make = getattr(torchvision.models.segmentation, name)
    return Network(lambda: FirstOutput(make(weights=None, weights_backbone=None, num_classes=5)), {"x": (3, size, size)})


def video(name: str, shape: Tuple[int, int, int]) -> Network:
    make = getattr(torchvision.models.video, name)
    return Network(lambda: make(weights=None, num_classes=10), {"x": (3, *shape)})


torchvision_networks: Dict[str, Network] = {
    "squeezenet1_1": classifier("squeezenet1_1", 64, opset=11),
    "shufflenet_v2_x0_5": classifier("shufflenet_v2_x0_5", 64),
    "mobilenet_v3_small": classifier("mobilenet_v3_small", 64),
    "mnasnet0_5": classifier("mnasnet0_5", 64),
    "mobilenet_v2": classifier("mobilenet_v2", 64, opset=11),
    "regnet_y_400mf": classifier("regnet_y_400mf", 64),
    "regnet_x_400mf": classifier("regnet_x_400mf", 64),
    "efficientnet_b0": classifier("efficientnet_b0", 64),
    "densenet121": classifier("densenet121", 64),
    "googlenet": classifier("googlenet", 64, aux_logits=False, init_weights=False),
    "resnet18": classifier("resnet18", 64),
    "resnet50": classifier("resnet50", 64),
    "resnext50_32x4d": classifier("resnext50_32x4d", 64),
    "wide_resnet50_2": classifier("wide_resnet50_2", 64),
    "inception_v3": classifier("inception_v3", 80, aux_logits=False, init_weights=False),
    "efficientnet_v2_s": classifier("efficientnet_v2_s", 64),
    "mobilenet_v3_large": classifier("mobilenet_v3_large", 64),
    "convnext_tiny": classifier("convnext_tiny", 64),
    "swin_t": classifier("swin_t", 64),
    "swin_v2_t": classifier("swin_v2_t", 64),
    "maxvit_t": classifier("maxvit_t", 64, input_size=(64, 64), partition_size=2),
    "vit_b_16": Network(
        lambda: torchvision.models.VisionTransformer(64, 16, 4, 12, 192, 768, num_classes=10), {"x": (3, 64, 64)}
    ),
    "alexnet": classifier("alexnet", 64, opset=9),
    "vgg11_bn": classifier("vgg11_bn", 32),
    "fcn_resnet50": segmenter("fcn_resnet50", 64),
    "deeplabv3_mobilenet_v3_large": segmenter("deeplabv3_mobilenet_v3_large", 64),
    "lraspp_mobilenet_v3_large": segmenter("lraspp_mobilenet_v3_large", 64),
    "r3d_18": video("r3d_18", (4, 32, 32)),
    "mc3_18": video("mc3_18", (4, 32, 32)),
    "r2plus1d_18": video("r2plus1d_18", (4, 32, 32)),
    "s3d": video("s3d", (16, 64, 64)),
    "mvit_v2_s": Network(lambda: torchvision.models.video.mvit_v2_s(weights=None, num_classes=10), {"x": (3, 16, 224, 224)}, 13, 0, 1),
}


def randomize(model: nn.Module) -> None:
    """Gives every tensor of equal elements (fresh norms, layer scales) and every running statistic a life of its own."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.7, 1.3)
        for parameter in model.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                centre = 1.0 if float(parameter.flatten()[0]) != 0 else 0.0
                parameter.normal_(centre, 0.1)


def write_safetensors(path: str, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str]) -> None:
    """8 bytes of header length, a JSON header, the bytes."""
    names = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
    header: Dict[str, object] = {"__metadata__": metadata}
    blobs: List[bytes] = []
    offset = 0
    for name, tensor in tensors.items():
        blob = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for blob in blobs:
            file.write(blob)


def sample(network: Network) -> Dict[str, torch.Tensor]:
    def one(shape):
        if network.vocabulary:
            return torch.randint(0, network.vocabulary, (network.batch, *shape))
        return torch.randn(network.batch, *shape)

    return {name: one(shape) for name, shape in network.inputs.items()}


def export(model: nn.Module, network: Network, path: str, plain: bool) -> None:
    feeds = sample(network)
    free = {name: {0: "batch"} for name in [*feeds, "out"]}
    torch.onnx.export(
        model,
        tuple(feeds.values()),
        path,
        input_names=list(feeds),
        output_names=["out"],
        dynamic_axes=free,
        opset_version=network.opset,
        training=TrainingMode.PRESERVE if plain else TrainingMode.EVAL,
        do_constant_folding=not plain,
    )


def record_gradients(model: nn.Module, network: Network, folder: str, name: str) -> None:
    path = os.path.join(folder, f"{name}.onnx")
    export(model, network, path, plain=True)
    initializers = {one.name for one in onnx.load(path, load_external_data=False).graph.initializer}
    feeds = sample(network)
    model = model.double()
    out = model(*[x.double() if x.is_floating_point() else x for x in feeds.values()])
    tensors = {f"in:{key}": x for key, x in feeds.items()}
    if out.dim() == 2:
        labels = torch.randint(0, out.shape[1], (out.shape[0],))
        loss, kind = nn.functional.cross_entropy(out, labels), "cross-entropy"
        tensors["labels"] = labels
    else:
        target = torch.randn(out.shape)
        loss, kind = nn.functional.mse_loss(out, target.double()), "mse"
        tensors["target"] = target
    loss.backward()
    tensors |= {"out": out.float(), "loss": loss}
    for key, parameter in model.named_parameters():
        if parameter.grad is not None and key in initializers:
            tensors[f"grad:{key}"] = parameter.grad.float()
    write_safetensors(os.path.join(folder, f"{name}.safetensors"), tensors, {"loss": kind, "mode": "eval"})


def main() -> None:
    from own_networks import networks as own

    networks = {**torchvision_networks, **{name: Network(*parts) for name, parts in own.items()}}
    folder, names = sys.argv[1], sys.argv[2:] or list(networks)
    os.makedirs(os.path.join(folder, "gradients"), exist_ok=True)
    for name in names:
        began = time.time()
        network = networks[name]
        wanted = [os.path.join(folder, f"{name}.onnx"), os.path.join(folder, "gradients", f"{name}.safetensors")]
        if all(os.path.exists(path) for path in wanted):
            continue
        try:
            torch.manual_seed(0)
            model = network.build().eval()
            randomize(model)
            export(model, network, wanted[0], plain=False)
            record_gradients(model, network, os.path.join(folder, "gradients"), name)
            print(f"{name}: {time.time() - began:.1f} s", flush=True)
        except Exception as error:  # One network that cannot be exported must not hide the others.
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)


if __name__ == "__main__":
    main()
