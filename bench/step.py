"""Milliseconds of one PyTorch training step (forward, backward, Adam) beside the forward pass, on the networks of
`espalier bench train`. Debian: apt-get install python3-torch libopenblas0-pthread

    MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=4000000000 /usr/bin/python3 bench/step.py [THREADS [NETWORK…]]
"""
import resource
import sys
import time

import torch
from torch import nn


def conv(i, o, k, p):
    return nn.Conv2d(i, o, k, padding=p)


def vgg():
    layers, i = [], 3
    for o in (64, 128, 256):
        layers += [conv(i, o, 3, 1), nn.ReLU(), conv(o, o, 3, 1), nn.ReLU(), nn.MaxPool2d(2)]
        i = o
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 10))


class Block(nn.Module):
    def __init__(self, i, o, s):
        super().__init__()
        self.a, self.n = nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o)
        self.b, self.m = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.short = nn.Sequential() if s == 1 and i == o else nn.Sequential(nn.Conv2d(i, o, 1, s, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return torch.relu(self.m(self.b(torch.relu(self.n(self.a(x))))) + self.short(x))


def resnet():
    layers, i = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for o, s in ((16, 1), (32, 2), (64, 2)):
        for k in range(3):
            layers.append(Block(i, o, s if k == 0 else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def bn(i, o, k, s=1, g=1):
    return [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]


class Inverted(nn.Module):
    def __init__(self, i, o, s, e):
        super().__init__()
        w, self.add = i * e, s == 1 and i == o
        widen = [*bn(i, w, 1), nn.ReLU6()] if e > 1 else []
        self.f = nn.Sequential(*widen, *bn(w, w, 3, s, w), nn.ReLU6(), *bn(w, o, 1))

    def forward(self, x):
        return self.f(x) + x if self.add else self.f(x)


def mobilenet():
    layers, i = [*bn(3, 16, 3), nn.ReLU6()], 16
    for n, (o, s, e) in enumerate(((16, 1, 1), (24, 2, 6), (32, 2, 6), (64, 2, 6))):
        layers.append(Inverted(i, o, s, e))
        if n > 0:
            layers.append(Inverted(o, o, 1, e))
        i = o
    return nn.Sequential(*layers, *bn(64, 256, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


class Transformer(nn.Module):
    def __init__(self, width, heads, blocks, tokens, causal):
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({
                'n1': nn.LayerNorm(width), 'q': nn.Linear(width, width), 'k': nn.Linear(width, width), 'v': nn.Linear(width, width),
                'o': nn.Linear(width, width), 'n2': nn.LayerNorm(width), 'a': nn.Linear(width, 4 * width), 'b': nn.Linear(4 * width, width),
            }) for _ in range(blocks))
        self.heads, self.mask = heads, torch.full((tokens, tokens), float('-inf')).triu(1) if causal else None

    def forward(self, x):
        x = x + self.position
        n, t, w = x.shape
        split = lambda y: y.view(n, t, self.heads, -1).transpose(1, 2)
        for b in self.blocks:
            h = b['n1'](x)
            q, k, v = (split(b[name](h)) for name in 'qkv')
            s = q @ k.transpose(-1, -2) * (w // self.heads) ** -0.5
            s = (s if self.mask is None else s + self.mask).softmax(-1)
            x = x + b['o']((s @ v).transpose(1, 2).reshape(n, t, w))
            x = x + b['b'](nn.functional.gelu(b['a'](b['n2'](x))))
        return x


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.body, self.norm, self.fc = nn.Conv2d(3, 192, 4, 4), Transformer(192, 3, 12, 64, False), nn.LayerNorm(192), nn.Linear(192, 10)

    def forward(self, x):
        return self.fc(self.norm(self.body(self.patches(x).flatten(2).transpose(1, 2))).mean(1))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.body, self.norm, self.fc = nn.Embedding(256, 128), Transformer(128, 4, 4, 64, True), nn.LayerNorm(128), nn.Linear(128, 256)

    def forward(self, x):
        return self.fc(self.norm(self.body(self.embedding(x)))).flatten(0, 1)


P = lambda **o: nn.MaxPool2d(2, **o)
networks = {
    'seed-cnn': (50, (1, 28, 28), lambda: nn.Sequential(conv(1, 16, 5, 2), nn.ReLU(), P(), conv(16, 32, 5, 2), nn.ReLU(), P(), nn.Flatten(), nn.Linear(1568, 10))),
    'tf-cnn': (50, (1, 28, 28), lambda: nn.Sequential(conv(1, 16, 3, 1), nn.ReLU(), P(), conv(16, 32, 3, 1), nn.ReLU(), P(), conv(32, 32, 3, 1), nn.ReLU(), P(ceil_mode=True), nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 10))),
    'lenet-5': (32, (1, 28, 28), lambda: nn.Sequential(conv(1, 20, 5, 0), P(), conv(20, 50, 5, 0), P(), nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))),
    'lenet-300-100': (32, (1, 28, 28), lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))),
    'vgg-small': (32, (3, 32, 32), vgg),
    'resnet-20': (32, (3, 32, 32), resnet),
    'mobilenet-small': (32, (3, 32, 32), mobilenet),
    'vit-tiny': (32, (3, 32, 32), Vit),
    'gpt-small': (32, (64,), Gpt),
}

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
print(f'torch {torch.__version__}, {torch.get_num_threads()} threads; median ms of 40')
for name, (batch, dims, make) in networks.items():
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
        continue
    torch.manual_seed(0)
    tokens = len(dims) == 1
    model, x = make(), torch.randint(256, (batch, *dims)) if tokens else torch.rand(batch, *dims)
    y = torch.arange(batch * dims[0] if tokens else batch) % 10
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=1e-4), nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    def forward():
        with torch.no_grad():
            model(x)

    def median(work):
        times = []
        for i in range(50):
            start = time.perf_counter()
            work()
            times.append((time.perf_counter() - start) * 1000)
        return sorted(times[10:])[20]

    times = median(step), median(forward)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f'{name:16} batch {batch}  step {times[0]:8.2f}  forward {times[1]:8.2f}  peak {peak:6.0f} MB')
