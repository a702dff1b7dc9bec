"""Limits on the cost of a design, and the share of them that it uses."""

from __future__ import annotations

from dataclasses import dataclass, fields

from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.knobs import DesignError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Upper limits on the cost of a design; None is no limit.

    `params`: all stored parameters. `macs`: MACs of one example. `inference_bytes`: peak memory of
    a forward pass. `training_bytes`: peak memory of a training step with Adam. Both are at the
    batch of the brief. Raises DesignError for a limit below 1.
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
        """The limits that are set, by name."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: limit for name, limit in found if limit is not None}

    def shares(self, profile: Profile) -> dict[str, float]:
        """The share of each limit that a design uses; above 1 it is exceeded."""
        return {name: cost(profile, name) / limit for name, limit in self.given.items()}

    def share(self, profile: Profile) -> float:
        """The share of the binding limit that a design uses; 0 without limits."""
        return max(self.shares(profile).values(), default=0.0)

    def binding(self, profile: Profile) -> str:
        """The limit with the largest share; empty without limits."""
        shares = self.shares(profile)
        return max(shares, key=shares.__getitem__, default="")

    def text(self, name: str) -> str:
        """A limit in words: `params at most 5.00 M`."""
        return f"{name} at most {format_amount(name, self.given[name])}"


def cost(profile: Profile, name: str) -> int:
    """The amount of the profile that the limit `name` applies to."""
    if name == "training_bytes":
        return profile.training_bytes()
    found: int = getattr(profile, name)
    return found // profile.batch if name == "macs" else found


def format_amount(name: str, figure: float) -> str:
    """An amount with the unit of the limit `name`."""
    write = {"params": units.count, "macs": units.macs}.get(name, units.size)
    return write(figure)
