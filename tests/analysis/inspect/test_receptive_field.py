"""Receptive fields: published ones, and those that gradients of a real network have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph_with_uses
from studio.analysis.inspect.receptive_field import ReceptiveField, receptive_fields
from studio.analysis.trace.tracer import Memo, trace
from studio.zoo.tcn import TCNConfig


def of(family: str, preset: str, node: str, **knobs: object) -> tuple[ReceptiveField, ...]:
    root = profile(zoo.family(family).design(preset, **knobs)).root
    return receptive_fields(node, root, build_graph_with_uses(root)[1])


@pytest.mark.parametrize(
    ("family", "preset", "node", "size"),
    [
        # Araujo et al. 2019, Table 1. Their ResNet-50 (483) strides in the last unit of a stage.
        ("vgg", "VGG-16", "features.4", 212),
        ("mobilenet", "MobileNetV2 1.0", "features.18", 491),
        ("mobilenet", "MobileNetV1 1.0", "features.13", 315),
        # By hand, 11 after the stem and 2 j a block: 35, 91, 267, 427.
        ("resnet", "ResNet-50", "stages.3", 427),
        ("resnet", "ResNet-18", "stages.3", 435),
    ],
)
def test_published_fields(family: str, preset: str, node: str, size: int) -> None:
    (field,) = of(family, preset, node)
    assert (field.size, field.all_by) == ((size, size), "")


def test_dilated_steps_see_as_far_as_the_network_says() -> None:
    design = zoo.family("tcn").design(depth=4, kernel_size=3)
    assert isinstance(design.config, TCNConfig)
    root = profile(design).root
    (field,) = receptive_fields("network.3", root, build_graph_with_uses(root)[1])
    assert field.size == (design.config.receptive_field,)


def test_what_looks_at_all_positions_is_named() -> None:
    (patches,), (block,) = of("vit", "ViT-B/16", "patch_embed"), of("vit", "ViT-B/16", "blocks.0")
    assert (patches.size, patches.all_by) == ((16, 16), "")
    assert block.all_by == "attention"
    assert [field.all_by for field in of("resnet", "ResNet-50", "fc")] == ["a pool over all"]
    assert [field.all_by for field in of("recurrent", "LSTM 128-256", "rnn")] == ["recurrence"]


def test_a_gate_sees_all_and_its_main_way_is_told_too() -> None:
    (field,) = of("efficientnet", "EfficientNet-B0", "stages.0")
    assert field.size is not None
    assert field.size < field.grid
    assert field.all_by == "a pool over all"


def test_parameters_and_noise_have_none() -> None:
    assert of("vit", "ViT-B/16", "class_token") == ()
    assert of("gan", "DCGAN", "generator.main") == ()


class Branches(nn.Module):
    """Strides, dilations, a residual, ways of other lengths, and a way back up."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 5, stride=2, padding=2)
        self.pool = nn.AvgPool2d(2)
        self.wide = nn.Conv2d(2, 2, (3, 1), dilation=(2, 1), padding=(2, 0))
        self.narrow = nn.Conv2d(2, 2, 1)
        self.up = up
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.pool(x)
        y = y + self.narrow(y) + self.wide(self.wide(y))
        return self.last(torch.cat([x, self.up(y)], dim=1))


class Resized(nn.Module):
    def __init__(self, factor: int, mode: str) -> None:
        super().__init__()
        self.down, self.factor, self.mode = (
            nn.Conv2d(1, 1, 3, stride=factor, padding=1),
            factor,
            mode,
        )
        self.last = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(self.down(x), scale_factor=self.factor, mode=self.mode)
        return self.last(self.last(x))


REAL: dict[str, Callable[[], nn.Module]] = {
    "transposed": lambda: Branches(nn.ConvTranspose2d(2, 2, 2, stride=2)),
    "transposed, wide": lambda: Branches(nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)),
    "nearest": lambda: Branches(nn.Upsample(scale_factor=2, mode="nearest")),
    "bilinear": lambda: Branches(nn.Upsample(scale_factor=2, mode="bilinear")),
    "nearest × 4": lambda: Resized(4, "nearest"),
    "bilinear × 4": lambda: Resized(4, "bilinear"),
}


@pytest.mark.parametrize("name", REAL)
def test_the_field_is_where_gradients_are(name: str) -> None:
    """With weights above zero nothing cancels: an output has a gradient wherever it sees."""
    torch.manual_seed(0)
    model = REAL[name]().double()
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 1.0)
    seen = extents(model, torch.rand(1, 1, 96, 96, dtype=torch.double, requires_grad=True))
    root = trace(model.eval().to("meta"), (torch.empty(1, 1, 96, 96, device="meta"),), Memo())
    (field,) = receptive_fields(
        "last" if name in list(REAL)[:4] else "last#2", root, build_graph_with_uses(root)[1]
    )
    assert field.size == seen


def extents(model: nn.Module, x: Tensor) -> tuple[int, int]:
    """The most rows and columns of the input that an output in the middle has a gradient by."""
    out = model(x)
    rows, columns = [], []
    for i in range(44 * out.shape[2] // 96, 52 * out.shape[2] // 96):
        (gradient,) = torch.autograd.grad(out[0, 0, i, i], x, retain_graph=True)
        lit = gradient[0, 0].nonzero()
        rows.append(int(lit[:, 0].max() - lit[:, 0].min()) + 1)
        columns.append(int(lit[:, 1].max() - lit[:, 1].min()) + 1)
    return max(rows), max(columns)
