"""A workload: a design and how it is run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from studio.bench.conditions import CHOICES, Conditions
from studio.family import BATCH, Design, Preset
from studio.knobs import Knob, Mode
from studio.workbench.devices import DEFAULT_DEVICE
from studio.workbench.link import Link

HELP = {
    "mode": "A forward pass, or a training step: forward, backward, and an SGD update",
    "dtype": "Data type of weights and activations; memory figures are always for float32",
    "layout": "Memory layout of images: contiguous (NCHW) or channels_last (NHWC)",
    "compiled": "Run through torch.compile; its compile time is shown separately",
}
CONDITIONS = {BATCH.name: BATCH} | {
    name: Knob(
        name=name,
        default=choices[0],
        help=HELP[name],
        options=() if isinstance(choices[0], bool) else choices,
    )
    for name, choices in CHOICES.items()
}
DEVICE = "device"
MAX_DEVICE_NAME = 40  # characters


@dataclass(frozen=True)
class Workload:
    """A design, its batch, and how it is timed; all figures of the page are for a workload. The
    names are those of `Conditions`."""

    design: Design
    batch: int = 1
    mode: Mode = "inference"
    dtype: str = "float32"
    layout: str = "contiguous"
    compiled: bool = False
    device: str = DEFAULT_DEVICE
    threads: int = 1

    @property
    def counted(self) -> Workload:
        """What counts depend on, the design and its batch; all else as it is by default."""
        return Workload(self.design, self.batch)

    @classmethod
    def under(cls, design: Design, conditions: Conditions) -> Workload:
        """A design under these conditions."""
        return cls(design, **asdict(conditions))

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            **{name: getattr(self, name) for name in (*CONDITIONS, DEVICE, "threads")}
        )

    @property
    def threads_text(self) -> str:
        """The number of CPU threads in words; empty for other devices."""
        return "1 thread" if self.device == DEFAULT_DEVICE else ""

    def to_query(self, base: Preset | None = None) -> dict[str, str]:
        """The parameters of a link to this workload, as changes to a preset (by default the nearest
        one)."""
        values = ((knob, getattr(self, knob.name)) for knob in CONDITIONS.values())
        named = {knob.name: knob.text(value) for knob, value in values if value != knob.default}
        named |= {DEVICE: self.device} if self.device != DEFAULT_DEVICE else {}
        return self.design.to_query(base) | named

    @classmethod
    def read(cls, link: Link, family: str) -> tuple[Workload, Preset]:
        """The workload of a link, or the nearest valid one, and the preset that its design is
        described relative to. `family` is the default."""
        used = {knob.name: link.take(knob) for knob in CONDITIONS.values()}
        device = link.text(DEVICE, MAX_DEVICE_NAME, DEFAULT_DEVICE)
        design, preset = link.design(family)
        return cls(design, **used, device=device), preset
