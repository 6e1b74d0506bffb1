"""Exports networks to ONNX, with PyTorch's own gradients beside those of which they are recorded.

    /usr/bin/python3 scripts/networks/export.py FOLDER NAME…
    /usr/bin/python3 scripts/networks/export.py --list

Needs Debian's python3-torch, python3-torchvision, python3-onnx and libopenblas0-pthread. Weights are random and nothing is
downloaded. `--only-gradients` and `--only-file` leave out the other.

    FOLDER/NAME/model.onnx             as users export it: BatchNormalization folded, constants folded, free batch
    FOLDER/NAME/gradients.onnx         weights under PyTorch's names, nothing folded
    FOLDER/NAME/gradients.safetensors  in:<input>, labels or target, out, loss, grad:<initializer>, computed in float64
"""

import os
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")

import torchvision_networks
from own_networks import networks as own
from torchvision_networks import Network

own_networks = {name: Network(*parts) for name, parts in own.items()}
networks = {**torchvision_networks.networks, **own_networks}
differentiated = {**torchvision_networks.differentiated, **own_networks}


def main() -> None:
    flags, names = [a for a in sys.argv[1:] if a.startswith("--")], [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--list" in flags:
        return print("\n".join(networks))
    from gradients import record_gradients
    from making import export, make

    for name in names[1:]:
        folder = os.path.join(names[0], name)
        if "--only-gradients" not in flags:
            export(make(networks[name]), networks[name], os.path.join(folder, "model.onnx"), plain=False)
        if name in differentiated and "--only-file" not in flags:
            record_gradients(make(differentiated[name]), differentiated[name], os.path.join(folder, "gradients"))


if __name__ == "__main__":
    main()
