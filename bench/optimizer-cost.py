"""Milliseconds of one update of ResNet-18's parameters by PyTorch's Adam(foreach=True), for bench/optimizer-cost.mjs.

    /usr/bin/python3 bench/optimizer-cost.py [THREADS]
"""
import json
import resource
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.manual_seed(0)


def shapes():
    found, before = [], 64

    def conv(to, source, k):
        found.extend([(to, source, k, k), (to,), (to,)])

    conv(64, 3, 7)
    for width in (64, 128, 256, 512):
        for block in range(2):
            conv(width, before, 3)
            conv(width, width, 3)
            if block == 0 and width > 64:
                conv(width, before, 1)
            before = width
    return found + [(1000, 512), (1000,)]


parameters = [torch.nn.Parameter(torch.randn(shape) / 20) for shape in shapes()]
for p in parameters:
    p.grad = torch.randn_like(p) / 50
weights = sum(p.numel() for p in parameters) * 4


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


before = peak()
optimizer = torch.optim.Adam(parameters, foreach=True)
times, began = [], 0.0
for step in range(30):
    if step == 6:
        began = time.process_time()
    start = time.perf_counter()
    optimizer.step()
    if step >= 6:
        times.append(1e3 * (time.perf_counter() - start))
state = sum(t.numel() * 4 for s in optimizer.state.values() for t in s.values() if torch.is_tensor(t) and t.dim() > 0)
print(json.dumps({
    "parameters": weights // 4,
    "ms": sorted(times)[len(times) // 2],
    "cpuMs": 1e3 * (time.process_time() - began) / 24,
    "stateCopies": state / weights,
    "memoryCopies": (peak() - before) / weights,
}))
