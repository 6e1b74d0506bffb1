"""Exports networks to ONNX, with PyTorch's own gradients beside those of which they are recorded.

    /usr/bin/python3 scripts/networks/export.py FOLDER NAME…
    /usr/bin/python3 scripts/networks/export.py FOLDER < NAMES    a name a line, answered by a line when it is done
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
from typing import List

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
warnings.filterwarnings("ignore")

import torchvision_networks
from own_networks import networks as own
from torchvision_networks import Network

own_networks = {name: Network(*parts) for name, parts in own.items()}
networks = {**torchvision_networks.networks, **own_networks}
differentiated = {**torchvision_networks.differentiated, **own_networks}


def export_network(folder: str, name: str, flags: List[str]) -> None:
    from gradients import record_gradients
    from making import export, make

    place = os.path.join(folder, name)
    if "--only-gradients" not in flags:
        export(make(networks[name]), networks[name], os.path.join(place, "model.onnx"), plain=False)
    if name in differentiated and "--only-file" not in flags:
        record_gradients(make(differentiated[name], decided=True), differentiated[name], os.path.join(place, "gradients"))


def main() -> None:
    flags, given = [a for a in sys.argv[1:] if a.startswith("--")], [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--list" in flags:
        return print("\n".join(differentiated if "--only-gradients" in flags else networks))
    for name in given[1:]:
        export_network(given[0], name, flags)
    if len(given) > 1:
        return
    for line in sys.stdin:
        try:
            export_network(given[0], line.strip(), flags)
            print("done", flush=True)
        except Exception as error:  # One network that cannot be exported must not end the others.
            print(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)


if __name__ == "__main__":
    main()
