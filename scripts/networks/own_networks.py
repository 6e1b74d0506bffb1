"""Networks written here for `export.py`: the shapes of today's models, small. Name → (build, inputs, opset, vocabulary)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

# A detector in the manner of YOLO: C2f and SPPF blocks, a neck over two scales, boxes as distributions (DFL)


def conv(i: int, o: int, k: int = 1, s: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.SiLU())


class Bottleneck(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.a, self.b = conv(c, c, 3), conv(c, c, 3)

    def forward(self, x):
        return x + self.b(self.a(x))


class C2f(nn.Module):
    def __init__(self, i: int, o: int, n: int):
        super().__init__()
        self.c = o // 2
        self.first, self.last = conv(i, o), conv((2 + n) * self.c, o)
        self.blocks = nn.ModuleList(Bottleneck(self.c) for _ in range(n))

    def forward(self, x):
        parts = list(self.first(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.last(torch.cat(parts, 1))


class SPPF(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.first, self.last = conv(c, c // 2), conv(c * 2, c)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        parts = [self.first(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.last(torch.cat(parts, 1))


class Yolo(nn.Module):
    def __init__(self, classes: int = 4, bins: int = 8):
        super().__init__()
        self.bins, self.classes = bins, classes
        self.stem = nn.Sequential(conv(3, 16, 3, 2), conv(16, 32, 3, 2), C2f(32, 32, 1))
        self.down = nn.Sequential(conv(32, 64, 3, 2), C2f(64, 64, 2), SPPF(64))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.neck, self.neck_down, self.neck_last = C2f(96, 32, 1), conv(32, 32, 3, 2), C2f(96, 64, 1)
        self.boxes = nn.ModuleList(nn.Sequential(conv(c, 32, 3), nn.Conv2d(32, 4 * bins, 1)) for c in (32, 64))
        self.scores = nn.ModuleList(nn.Sequential(conv(c, 32, 3), nn.Conv2d(32, classes, 1)) for c in (32, 64))
        self.register_buffer("bin", torch.arange(bins, dtype=torch.float32).view(1, bins, 1, 1))

    def forward(self, x):
        fine = self.stem(x)
        deep = self.down(fine)
        fine = self.neck(torch.cat([self.up(deep), fine], 1))
        deep = self.neck_last(torch.cat([self.neck_down(fine), deep], 1))
        heads = [
            torch.cat([box(y), score(y)], 1).flatten(2)
            for y, box, score in zip((fine, deep), self.boxes, self.scores)
        ]
        boxes, scores = torch.cat(heads, 2).split((4 * self.bins, self.classes), 1)
        b, _, a = boxes.shape
        spread = boxes.view(b, 4, self.bins, a).transpose(2, 1).softmax(1)
        return torch.cat([(spread * self.bin).sum(1), scores.sigmoid()], 1)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        twice = lambda i, o: nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.InstanceNorm2d(o, affine=True), nn.ReLU()
        )
        self.a, self.b, self.c = twice(3, 16), twice(16, 32), twice(32, 64)
        self.up_b, self.up_a = nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)
        self.back_b, self.back_a, self.last = twice(64, 32), twice(32, 16), nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(F.max_pool2d(a, 2))
        c = self.c(F.max_pool2d(b, 2))
        b = self.back_b(torch.cat([self.up_b(c), b], 1))
        return self.last(self.back_a(torch.cat([self.up_a(b), a], 1)))


class Espcn(nn.Module):
    """Super-resolution: channels become pixels in the middle and at the end; sizes double by bilinear Resize beside it."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 32, 5, padding=2), nn.Conv2d(32, 64, 3, padding=1)
        self.c, self.d = nn.Conv2d(16, 24, 3, padding=1), nn.Conv2d(24, 12, 3, padding=1)
        self.skip = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        y = F.pixel_shuffle(torch.tanh(self.b(torch.tanh(self.a(x)))), 2)
        y = F.pixel_shuffle(self.d(torch.tanh(self.c(y))), 2)
        return y + F.interpolate(self.skip(x), scale_factor=4.0, mode="bilinear", align_corners=False)


# Attention


def heads_of(x, heads: int):
    b, n, c = x.shape
    return x.view(b, n, heads, c // heads).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, mask=None):
        q, k, v = (heads_of(f(x), self.heads) for f in (self.q, self.k, self.v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores + mask
        return self.o(merge_heads(scores.softmax(-1) @ v))


class ConformerBlock(nn.Module):
    def __init__(self, c: int, heads: int):
        super().__init__()
        feed = lambda: nn.Sequential(nn.LayerNorm(c), nn.Linear(c, 4 * c), nn.SiLU(), nn.Linear(4 * c, c))
        self.before, self.after, self.attention = feed(), feed(), Attention(c, heads)
        self.norm, self.norm_conv, self.last = nn.LayerNorm(c), nn.LayerNorm(c), nn.LayerNorm(c)
        self.wide, self.deep, self.batch, self.narrow = nn.Conv1d(c, 2 * c, 1), nn.Conv1d(c, c, 7, padding=3, groups=c), nn.BatchNorm1d(c), nn.Conv1d(c, c, 1)

    def forward(self, x):
        x = x + 0.5 * self.before(x)
        x = x + self.attention(self.norm(x))
        y = F.glu(self.wide(self.norm_conv(x).transpose(1, 2)), 1)
        x = x + self.narrow(F.silu(self.batch(self.deep(y)))).transpose(1, 2)
        return self.last(x + 0.5 * self.after(x))


class Conformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.sub = nn.Sequential(nn.Conv2d(1, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 16, 3, 2), nn.ReLU())
        self.inner, self.blocks, self.out = nn.Linear(16 * 6, 32), nn.Sequential(*[ConformerBlock(32, 4) for _ in range(2)]), nn.Linear(32, 10)

    def forward(self, x):
        y = self.sub(x.unsqueeze(1))
        b, c, t, f = y.shape
        return self.out(self.blocks(self.inner(y.transpose(1, 2).reshape(b, t, c * f))))


class BertLayer(nn.Module):
    def __init__(self, c: int, heads: int):
        super().__init__()
        self.attention, self.norm = Attention(c, heads), nn.LayerNorm(c)
        self.feed, self.last = nn.Sequential(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c)), nn.LayerNorm(c)

    def forward(self, x):
        x = self.norm(x + self.attention(x))
        return self.last(x + self.feed(x))


class Bert(nn.Module):
    def __init__(self, vocabulary: int = 50, c: int = 32):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(vocabulary, c), nn.Embedding(16, c), nn.LayerNorm(c)
        self.layers, self.pooler, self.out = nn.Sequential(*[BertLayer(c, 4) for _ in range(2)]), nn.Linear(c, c), nn.Linear(c, 3)

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])))
        return self.out(torch.tanh(self.pooler(self.layers(x)[:, 0])))


class RmsNorm(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(c))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class GroupedAttention(nn.Module):
    """Several query heads share a key and value head; with `rope`, positions are rotations of pairs."""

    def __init__(self, c: int, heads: int, kv: int, rope: bool, length: int = 12):
        super().__init__()
        self.heads, self.kv, self.rope, self.d = heads, kv, rope, c // heads
        self.q, self.k, self.v, self.o = nn.Linear(c, c, bias=False), nn.Linear(c, kv * self.d, bias=False), nn.Linear(c, kv * self.d, bias=False), nn.Linear(c, c, bias=False)
        angles = torch.outer(torch.arange(length).float(), 10000 ** (-torch.arange(0, self.d, 2).float() / self.d))
        self.register_buffer("cos", torch.cat([angles, angles], -1).cos())
        self.register_buffer("sin", torch.cat([angles, angles], -1).sin())
        self.register_buffer("mask", torch.full((length, length), -1e4).triu(1))

    def forward(self, x):
        q, k, v = heads_of(self.q(x), self.heads), heads_of(self.k(x), self.kv), heads_of(self.v(x), self.kv)
        if self.rope:
            q, k = rotate(q, self.cos, self.sin), rotate(k, self.cos, self.sin)
        b, _, n, d = k.shape
        again = lambda y: y[:, :, None].expand(b, self.kv, self.heads // self.kv, n, d).reshape(b, self.heads, n, d)
        scores = q @ again(k).transpose(-2, -1) / math.sqrt(self.d) + self.mask
        return self.o(merge_heads(scores.softmax(-1) @ again(v)))


class GptLayer(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.norm, self.attention, self.last = nn.LayerNorm(c), GroupedAttention(c, 4, 2, rope=False), nn.LayerNorm(c)
        self.feed = nn.Sequential(nn.Linear(c, 4 * c), nn.GELU(), nn.Linear(4 * c, c))

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        return x + self.feed(self.last(x))


class LlamaLayer(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.norm, self.attention, self.last = RmsNorm(c), GroupedAttention(c, 4, 2, rope=True), RmsNorm(c)
        self.gate, self.up, self.down = nn.Linear(c, 3 * c, bias=False), nn.Linear(c, 3 * c, bias=False), nn.Linear(3 * c, c, bias=False)

    def forward(self, x):
        x = x + self.attention(self.norm(x))
        y = self.last(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    def __init__(self, layer, norm, vocabulary: int = 50, c: int = 32, tied: bool = False):
        super().__init__()
        self.words, self.layers, self.norm = nn.Embedding(vocabulary, c), nn.Sequential(layer(c), layer(c)), norm(c)
        self.out = nn.Linear(c, vocabulary, bias=False)
        if tied:
            self.out.weight = self.words.weight

    def forward(self, ids):
        return self.out(self.norm(self.layers(self.words(ids))))


class LinearAttention(nn.Module):
    """Attention by a kernel φ(q)·φ(k) with φ = elu + 1, which is 1 where its input is masked."""

    def __init__(self, c: int = 24, heads: int = 3):
        super().__init__()
        self.heads = heads
        self.inner, self.q, self.k, self.v, self.out = nn.Linear(5, c), nn.Linear(c, c), nn.Linear(c, c), nn.Linear(c, c), nn.Linear(c, 4)

    def forward(self, x):
        y = torch.relu(self.inner(x))
        q, k, v = (heads_of(f(y), self.heads) for f in (self.q, self.k, self.v))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        rows = q @ (k.transpose(-2, -1) @ v) / (q @ k.sum(2).unsqueeze(-1))
        return self.out(merge_heads(rows).mean(1))


class Tagger(nn.Module):
    def __init__(self, kind, two_ways: bool, vocabulary: int = 50, c: int = 16):
        super().__init__()
        self.words, self.layer = nn.Embedding(vocabulary, c), kind(c, 24, 2, batch_first=True, bidirectional=two_ways)
        self.out = nn.Linear(48 if two_ways else 24, 5)

    def forward(self, ids):
        return self.out(self.layer(self.words(ids))[0])


class FakeQuantized(nn.Module):
    """A network trained for quantization: QuantizeLinear and DequantizeLinear around weights and activations."""

    single_precision = True

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.Linear(32, 10)
        for name, layer in (("a", self.a), ("b", self.b), ("c", self.c)):
            self.register_buffer(f"scale_{name}", layer.weight.detach().flatten(1).abs().amax(1) / 127)
            self.register_buffer(f"zero_{name}", torch.zeros(layer.weight.shape[0], dtype=torch.int32))

    def weight(self, name: str):
        layer = getattr(self, name)
        return torch.fake_quantize_per_channel_affine(layer.weight, getattr(self, f"scale_{name}"), getattr(self, f"zero_{name}"), 0, -128, 127)

    def forward(self, x):
        quantized = lambda y, scale=0.05: torch.fake_quantize_per_tensor_affine(y, scale, 128, 0, 255)
        y = quantized(F.relu(F.conv2d(quantized(x), self.weight("a"), self.a.bias, padding=1)))
        y = quantized(F.relu(F.conv2d(y, self.weight("b"), self.b.bias, padding=1, stride=2)))
        # A mean of multiples of 0.05 is often exactly half a step, and PyTorch, which multiplies by 1 ÷ scale, then rounds to the other side
        # than ONNX, which divides: a scale that has no common multiple with 0.05 ÷ 64 has no such ties.
        return F.linear(quantized(y.mean((2, 3)), 0.0371), self.weight("c"), self.c.bias)


image, tokens = {"x": (3, 64, 64)}, {"ids": (12,)}

networks = {
    "yolo": (Yolo, image),
    "unet-groupnorm": (UNet, {"x": (3, 32, 32)}),
    "espcn": (Espcn, {"x": (3, 16, 16)}),
    "conformer": (Conformer, {"x": (31, 27)}),
    "bert": (Bert, tokens, 13, 50),
    "gpt-grouped-query": (lambda: Decoder(GptLayer, nn.LayerNorm, tied=True), tokens, 13, 50),
    "llama": (lambda: Decoder(LlamaLayer, RmsNorm), tokens, 13, 50),
    "linear-attention": (LinearAttention, {"x": (7, 5)}),
    "lstm-tagger": (lambda: Tagger(nn.LSTM, True), tokens, 13, 50),
    "gru-tagger": (lambda: Tagger(nn.GRU, False), tokens, 13, 50),
    "qdq-cnn": (FakeQuantized, {"x": (3, 16, 16)}),
}
