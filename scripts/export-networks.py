"""Exports networks to ONNX, with PyTorch's own gradients beside them.

    /usr/bin/python3 scripts/export-networks.py FOLDER [NAME…]

Needs Debian's python3-torch, python3-torchvision, python3-onnx and libopenblas0-pthread. Weights are random and
nothing is downloaded. Without names every network of `torchvision_networks` and `own_networks.networks` is exported:

    FOLDER/NAME.onnx                 as users export it: BatchNormalization folded, constants folded, free batch
    FOLDER/gradients/NAME.onnx       weights under PyTorch's names, nothing folded
    FOLDER/gradients/NAME.safetensors  in:<input>, labels or target, out, loss, grad:<initializer>, computed in float64;
                                     NAME.1 and NAME.2 the same for two more inputs

Files that are there already are left alone.
"""

import copy
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
    differentiable: bool = True


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


def small_maxvit() -> nn.Module:
    return torchvision.models.MaxVit((64, 64), 16, 2, [16, 32, 64, 64], [1, 1, 1, 1], 16, 0.0, num_classes=10)


def narrow_vgg() -> nn.Module:
    """The last layers, most of the file, are narrower than published."""
    model = torchvision.models.vgg11_bn(weights=None, num_classes=10)
    model.classifier[0], model.classifier[3], model.classifier[6] = nn.Linear(25088, 256), nn.Linear(256, 256), nn.Linear(256, 10)
    return model


def small_s3d() -> nn.Module:
    model = torchvision.models.video.s3d(weights=None, num_classes=10)
    model.avgpool = nn.AvgPool3d((2, 1, 1), stride=1)
    return model


class Detector(nn.Module):
    """Detectors take a list of images and answer with a list of dictionaries."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        found = self.inner([x[0]])[0]
        return found["boxes"], found["scores"], found["labels"]


def detector(name: str, size: int, **options) -> Network:
    make = getattr(torchvision.models.detection, name)
    build = lambda: Detector(make(weights=None, weights_backbone=None, num_classes=5, **options))
    return Network(build, {"x": (3, size, size)}, 11, 0, 1, False)


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
    "wide_resnet50_2": classifier("wide_resnet50_2", 32),
    "inception_v3": classifier("inception_v3", 80, aux_logits=False, init_weights=False),
    "efficientnet_v2_s": classifier("efficientnet_v2_s", 64),
    "mobilenet_v3_large": classifier("mobilenet_v3_large", 64),
    "convnext_tiny": classifier("convnext_tiny", 64),
    "swin_t": classifier("swin_t", 64),
    "swin_v2_t": classifier("swin_v2_t", 64),
    "maxvit": Network(small_maxvit, {"x": (3, 64, 64)}),
    "vit_b_16": Network(
        lambda: torchvision.models.VisionTransformer(64, 16, 4, 12, 192, 768, num_classes=10), {"x": (3, 64, 64)}
    ),
    "alexnet": classifier("alexnet", 224, opset=9),
    "vgg11_bn": Network(narrow_vgg, {"x": (3, 224, 224)}),
    "fcn_resnet50": segmenter("fcn_resnet50", 32),
    "deeplabv3_mobilenet_v3_large": segmenter("deeplabv3_mobilenet_v3_large", 64),
    "lraspp_mobilenet_v3_large": segmenter("lraspp_mobilenet_v3_large", 64),
    "ssdlite320_mobilenet_v3_large": detector("ssdlite320_mobilenet_v3_large", 320),
    "fasterrcnn_mobilenet_v3_large_320_fpn": detector("fasterrcnn_mobilenet_v3_large_320_fpn", 320, min_size=160, max_size=160),
    "retinanet_resnet50_fpn": detector("retinanet_resnet50_fpn", 160, min_size=160, max_size=160),
    "fcos_resnet50_fpn": detector("fcos_resnet50_fpn", 160, min_size=160, max_size=160),
    "maskrcnn_resnet50_fpn": detector("maskrcnn_resnet50_fpn", 160, min_size=160, max_size=160),
    "r3d_18": video("r3d_18", (4, 32, 32)),
    "mc3_18": video("mc3_18", (4, 32, 32)),
    "r2plus1d_18": video("r2plus1d_18", (4, 32, 32)),
    "s3d": Network(small_s3d, {"x": (3, 16, 32, 32)}),
}


def randomize(model: nn.Module, network: Network) -> None:
    """
    Gives every tensor of equal elements (fresh norms, layer scales) a life of its own, and every BatchNormalization the
    statistics of a batch: without them values hardly vary with the input, maxima nearly tie, and which of them wins, and with
    it a gradient, is decided by rounding.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                centre = 1.0 if float(parameter.flatten()[0]) != 0 else 0.0
                parameter.normal_(centre, 0.1)
        if network.batch > 1:
            for norm in norms:
                norm.train()
                norm.momentum = 1.0
            model(*sample(network._replace(batch=8)).values())
        for norm in norms:
            norm.eval()
            norm.running_var.clamp_(min=0.01)


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
    free = {name: {0: "batch"} for name in [*feeds, "out"]} if network.batch > 1 else None
    torch.onnx.export(
        model,
        tuple(feeds.values()),
        path,
        input_names=list(feeds),
        output_names=["out"] if network.differentiable else None,
        dynamic_axes=free,
        opset_version=network.opset,
        training=TrainingMode.PRESERVE if plain else TrainingMode.EVAL,
        do_constant_folding=not plain,
    )


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


def record_gradients(model: nn.Module, network: Network, folder: str, name: str) -> None:
    """
    Where a ReLU's input or the lead of a maximum is as small as a rounding error, a gradient in single precision may take the
    other side, and everything before that place shows it. So several inputs are tried, of a smaller batch too, and the three
    kept on which PyTorch's own single precision strays least; by how much it does is recorded.
    """
    path = os.path.join(folder, f"{name}.onnx")
    export(model, network, path, plain=True)
    initializers = {one.name for one in onnx.load(path, load_external_data=False).graph.initializer}
    single = getattr(model, "single_precision", False)
    double = model if single else copy.deepcopy(model).double()
    found = []
    for batch, seed in [(n, seed) for n in sorted({network.batch, 1}, reverse=True) for seed in range(3)]:
        torch.manual_seed(seed)
        feeds = sample(network._replace(batch=batch))
        exact = step(double, feeds, seed)
        error = largest_error(step(model, feeds, seed).gradients, exact.gradients)
        exact = exact._replace(gradients={key: g.float() for key, g in exact.gradients.items()})
        found.append((error, feeds, exact))
        found = sorted(found, key=lambda case: case[0])[:3]
        if len(found) == 3 and found[-1][0] < 1e-4:
            break
    for number, (error, feeds, exact) in enumerate(found):
        tensors = {f"in:{key}": x for key, x in feeds.items()}
        tensors["labels" if exact.kind == "cross-entropy" else "target"] = exact.target
        tensors.update({"out": exact.out.float(), "loss": exact.loss.double()})
        tensors.update({f"grad:{key}": g for key, g in exact.gradients.items() if key in initializers})
        metadata = {"loss": exact.kind, "mode": "eval", "single": f"{error:.1e}"}
        suffix = f".{number}" if number else ""
        write_safetensors(os.path.join(folder, f"{name}{suffix}.safetensors"), tensors, metadata)


def zero(g, x):
    """Swin v2 fills the middle of a bias with zeros in place."""
    return g.op("Mul", x, g.op("Constant", value_t=torch.tensor(0.0)))


def main() -> None:
    torch.onnx.register_custom_op_symbolic("aten::zero", zero, 13)
    from own_networks import networks as own

    networks = {**torchvision_networks, **{name: Network(*parts) for name, parts in own.items()}}
    folder, names = sys.argv[1], sys.argv[2:] or list(networks)
    os.makedirs(os.path.join(folder, "gradients"), exist_ok=True)
    for name in names:
        began = time.time()
        network = networks[name]
        wanted = [os.path.join(folder, f"{name}.onnx")]
        if network.differentiable:
            wanted.append(os.path.join(folder, "gradients", f"{name}.safetensors"))
        if all(os.path.exists(path) for path in wanted):
            continue
        try:
            torch.manual_seed(0)
            model = network.build().eval()
            randomize(model, network)
            export(model, network, wanted[0], plain=False)
            if network.differentiable:
                record_gradients(model, network, os.path.join(folder, "gradients"), name)
            print(f"{name}: {time.time() - began:.1f} s", flush=True)
        except Exception as error:  # One network that cannot be exported must not hide the others.
            print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)


if __name__ == "__main__":
    main()
