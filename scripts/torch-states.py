"""Writes the states of PyTorch optimizers in the middle of a run, and what the run does next, for src/optim/torch-state.test.ts.
Debian: apt-get install python3-torch libopenblas0-pthread

    /usr/bin/python3 scripts/torch-states.py src/optim/testing/torch-states
"""
import json
import struct
import sys

import torch


def save(path, tensors, metadata):
    """The safetensors format: length of the header, header, the tensors' bytes."""
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def export_state(model, optimizer):
    """A state as docs/pytorch-state.md describes it: a tensor PARAMETER:SLOT for each slot of each parameter."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        f"{names[id(p)]}:{slot}": torch.as_tensor(value, dtype=torch.float32)
        for p, slots in optimizer.state.items()
        for slot, value in slots.items()
        if value is not None
    }


optim = torch.optim
cases = {
    "sgd": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.01, "amsgrad": True}),
    "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    "radam": ("RAdam", {"lr": 0.01}),
    "nadam": ("NAdam", {"lr": 0.01, "foreach": True}),
    "adamax": ("Adamax", {"lr": 0.01}),
    "adagrad": ("Adagrad", {"lr": 0.05}),
    "adadelta": ("Adadelta", {"lr": 1.0}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True}),
}

for file, (name, options) in cases.items():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.Flatten(), torch.nn.Linear(12, 4))
    optimizer = getattr(optim, name)(model.parameters(), **options)
    tensors = {}
    for step in range(12):
        for key, p in model.named_parameters():
            p.grad = torch.randn_like(p)
            if step >= 7:
                tensors[f"gradient:{step - 7}:{key}"] = p.grad.clone()
        if step == 7:
            tensors.update({f"weights:start:{key}": p.detach().clone() for key, p in model.named_parameters()})
            tensors.update({f"state:{key}": value.clone() for key, value in export_state(model, optimizer).items()})
        optimizer.step()
        if step >= 7:
            tensors.update({f"weights:{step - 7}:{key}": p.detach().clone() for key, p in model.named_parameters()})
    save(f"{sys.argv[1]}/{file}.safetensors", tensors, {"source": f"torch.optim.{name} 1.13", "options": json.dumps(options)})
