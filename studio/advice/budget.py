"""Limits: what a design may cost, and how much of that it uses."""

from __future__ import annotations

from dataclasses import dataclass, fields

from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.knobs import DesignError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a design may cost at most; what is None is open.

    Parameters are all that are stored, MACs those of one example. Memory is in bytes, of one
    forward pass or of a training step by Adam at the task's batch. Each figure is of the profile.
    """

    params: int | None = None
    macs: int | None = None
    inference_bytes: int | None = None
    training_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.given.items():
            if limit < 1:
                raise DesignError(f"{name}={limit} leaves no room for a design", knob=name)

    @property
    def given(self) -> dict[str, int]:
        """The limits that are not open, by name."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: limit for name, limit in found if limit is not None}

    def used(self, profile: Profile) -> dict[str, float]:
        """The share of each limit that a design uses; above 1 it is broken."""
        return {name: cost(profile, name) / limit for name, limit in self.given.items()}

    def share(self, profile: Profile) -> float:
        """The share of the binding limit that is used; 0 where all is open."""
        return max(self.used(profile).values(), default=0.0)

    def binding(self, profile: Profile) -> str:
        """The limit that a design comes nearest to, or breaks most; empty where all is open."""
        used = self.used(profile)
        return max(used, key=used.__getitem__, default="")

    def text(self, name: str) -> str:
        """A limit as people write it: `params at most 5.00 M`."""
        return f"{name} at most {format_amount(name, self.given[name])}"


def cost(profile: Profile, name: str) -> int:
    """What a limit of this name is a limit of."""
    if name == "training_bytes":
        return profile.training_bytes()
    found: int = getattr(profile, name)
    return found // profile.batch if name == "macs" else found


def format_amount(name: str, figure: float) -> str:
    """A figure in the unit of the limit of this name."""
    write = {"params": units.count, "macs": units.macs}.get(name, units.size)
    return write(figure)
