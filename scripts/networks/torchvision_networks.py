"""Every network of torchvision 0.14 but its quantized copies and optical flow, with inputs as small as it allows."""

from typing import Callable, Dict, NamedTuple, Tuple

import torchvision
from torch import nn
from torchvision import models
from torchvision.models import detection, get_model, list_models, segmentation, video


class Network(NamedTuple):
    """How a network is made and what it is fed: shapes without the batch, int64 inputs as (shape, vocabulary)."""

    build: Callable[[], nn.Module]
    inputs: Dict[str, Tuple[int, ...]]
    opset: int = 13
    vocabulary: int = 0
    batch: int = 2
    outputs: Tuple[str, ...] = ("out",)


class FirstOutput(nn.Module):
    """Segmentation models answer with a dictionary."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)["out"]


class Detector(nn.Module):
    """Detectors take a list of images and answer with a list of dictionaries."""

    def __init__(self, inner: nn.Module, outputs: Tuple[str, ...]):
        super().__init__()
        self.inner, self.outputs = inner, outputs

    def forward(self, x):
        found = self.inner([x[0]])[0]
        return tuple(found[name] for name in self.outputs)


# Sizes: what is smallest where layers count on one, 64 elsewhere.

sizes = {"alexnet": 224, "inception_v3": 80, "maxvit_t": 224, "vit_h_14": 56}
opsets = {"alexnet": 9, "squeezenet1_1": 11, "mobilenet_v2": 11}
options = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def classifier(name: str) -> Network:
    size = 224 if name.startswith("vgg") else sizes.get(name, 64)
    more = {"image_size": size} if name.startswith("vit_") else options.get(name, {})
    return Network(lambda: get_model(name, weights=None, num_classes=10, **more), {"x": (3, size, size)}, opsets.get(name, 13))


def segmenter(name: str) -> Network:
    build = lambda: FirstOutput(get_model(name, weights=None, weights_backbone=None, num_classes=5))
    return Network(build, {"x": (3, 64, 64) if "mobilenet" in name else (3, 32, 32)})


def detector(name: str) -> Network:
    """One image at a time; few proposals, since each is a run of the heads."""
    outputs = ("boxes", "scores", "labels", *(("masks",) if "mask" in name else ("keypoints",) if "keypoint" in name else ()))
    side = 300 if name == "ssd300_vgg16" else 320 if "320" in name else 160
    more = {} if name.startswith("ssd") else {"min_size": 160, "max_size": 160}
    if "rcnn" in name:
        more.update({"rpn_post_nms_top_n_test": 50, "box_detections_per_img": 20})
    build = lambda: Detector(get_model(name, weights=None, weights_backbone=None, num_classes=5, **more), outputs)
    return Network(build, {"x": (3, side, side)}, 11, 0, 1, outputs)


def small_s3d() -> nn.Module:
    """Its last pooling counts on 224×224 pixels."""
    model = video.s3d(weights=None, num_classes=10)
    model.avgpool = nn.AvgPool3d((2, 1, 1), stride=1)
    return model


def small_mvit(name: str) -> nn.Module:
    """Its builders ask for 16 frames of 224×224, on which the position tables depend."""
    module = torchvision.models.video.mvit
    whole = module.MViT
    module.MViT = lambda **given: whole(**{**given, "spatial_size": (64, 64), "temporal_size": 8})
    try:
        return get_model(name, weights=None, num_classes=10)
    finally:
        module.MViT = whole


def clip(name: str) -> Network:
    if name == "s3d":
        return Network(small_s3d, {"x": (3, 16, 32, 32)})
    if name.startswith("mvit"):
        return Network(lambda: small_mvit(name), {"x": (3, 8, 64, 64)}, 14)
    return Network(lambda: get_model(name, weights=None, num_classes=10), {"x": (3, 4, 32, 32)})


networks: Dict[str, Network] = {
    **{name: classifier(name) for name in list_models(module=models)},
    **{name: segmenter(name) for name in list_models(module=segmentation)},
    **{name: detector(name) for name in list_models(module=detection)},
    **{name: clip(name) for name in list_models(module=video)},
}


# A network of each family for gradients, narrower where most of the file would be one layer.


def narrow(name: str, linear: Tuple[int, int, int]) -> nn.Module:
    model = get_model(name, weights=None, num_classes=10)
    for index, i, o in zip(linear, (model.classifier[linear[0]].in_features, 128, 128), (128, 128, 10)):
        model.classifier[index] = nn.Linear(i, o)
    return model


def small_maxvit() -> nn.Module:
    return models.MaxVit((64, 64), 16, 2, [16, 32, 64, 64], [1, 1, 1, 1], 16, 0.0, num_classes=10)


families = """
    convnext_tiny deeplabv3_mobilenet_v3_large densenet121 efficientnet_b0 efficientnet_v2_s fcn_resnet50 googlenet inception_v3
    lraspp_mobilenet_v3_large mc3_18 mnasnet0_5 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small mvit_v2_s r2plus1d_18 r3d_18
    regnet_x_400mf regnet_y_400mf resnet18 resnet50 resnext50_32x4d s3d shufflenet_v2_x0_5 squeezenet1_1 swin_t swin_v2_t wide_resnet50_2
"""

differentiated: Dict[str, Network] = {
    **{name: networks[name] for name in families.split()},
    "alexnet": Network(lambda: narrow("alexnet", (1, 4, 6)), {"x": (3, 224, 224)}, 9),
    "vgg11_bn": Network(lambda: narrow("vgg11_bn", (0, 3, 6)), {"x": (3, 224, 224)}, batch=1),
    "maxvit_t": Network(small_maxvit, {"x": (3, 64, 64)}),
    "vit_b_16": Network(lambda: models.VisionTransformer(64, 16, 4, 12, 192, 768, num_classes=10), {"x": (3, 64, 64)}),
}
