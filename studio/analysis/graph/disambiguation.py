"""Labels that distinguish nodes of one class: names, windows and output sizes.

Three nodes called Linear say little; `q`, `k` and `v` do. Convolutions and pools always show kernel
and stride. Blocks show them if one of their siblings contains exactly one convolution with a kernel
larger than 1; otherwise only what differs between siblings. Blocks whose output sizes differ show
the size: `stage 2 · 512 × 28 × 28`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from studio.analysis.trace.tree import Call, Trace, Window

NUMBER = "0123456789_"  # names that differ only in it (conv1, conv2) say no more than the order


class NodeLabel(NamedTuple):
    """The name of a module among its siblings, its window, and its output size for one example;
    empty if they say nothing."""

    name: str = ""
    window: str = ""
    size: str = ""


NO_LABEL = NodeLabel()


def distinguishing_labels(calls: Sequence[Call], around: str = "") -> dict[str, NodeLabel]:
    """Labels by module path: `gate`, `3 × 3 · stride 2`, `512 × 28 × 28`. `around` is the path of
    the calling module."""
    kinds: dict[str, dict[str, Trace]] = {}
    for call in calls:
        if call.trace.is_module:
            kinds.setdefault(call.trace.kind, {})[call.name] = call.trace
    found: dict[str, NodeLabel] = {}
    for kind, alike in kinds.items():
        found |= _labels_of_kind(kind, alike, around)
    return found


def _labels_of_kind(kind: str, alike: dict[str, Trace], around: str) -> dict[str, NodeLabel]:
    """The labels of all modules of one class."""
    names = _names(alike) if kind != "Sequential" else {}
    windows = _windows(alike)
    blocks = any(trace.calls for trace in alike.values())
    differ = kind != "Sequential" and blocks
    differ = differ and len({trace.outputs for trace in alike.values()}) > 1
    if differ and not names:  # the size already shows the effect of a stride
        windows = {path: (kernel, "", rate) for path, (kernel, _, rate) in windows.items()}
        if not any(kernel for kernel, _, _ in windows.values()):
            names = _numbers(alike, around)
    found = {
        path: NodeLabel(names.get(path, ""), " · ".join(filter(None, windows.get(path, ()))))
        for path in alike
    }
    return {
        path: label._replace(size=output_size(alike[path]))
        if differ and not (label.name and label.window)
        else label
        for path, label in found.items()
    }


def output_size(trace: Trace) -> str:
    """The output size for one example: `512 × 28 × 28`; empty for a scalar."""
    return " × ".join(map(str, trace.outputs[0][1:]))


def _numbers(alike: dict[str, Trace], around: str) -> dict[str, str]:
    """The items of one list by number: `stage 1`."""
    places = {path: f"{around}.{path}".rpartition(".") for path in alike}
    lists = {place for place, _, _ in places.values()}
    if len(lists) > 1 or not all(own.isdigit() for _, _, own in places.values()):
        return {}
    word = lists.pop().rpartition(".")[2].removesuffix("s").replace("_", " ")
    return {path: f"{word} {int(own) + 1}".strip() for path, (_, _, own) in places.items()}


def _names(alike: dict[str, Trace]) -> dict[str, str]:
    """Attribute names, if they differ; if all are items of lists, the names of the lists."""
    own = {path: path.rpartition(".")[2] for path in alike}
    if all(map(str.isdigit, own.values())):
        own = {path: path.rpartition(".")[0].rpartition(".")[2] for path in alike}
    names = {path: name for path, name in own.items() if name.rstrip(NUMBER)}
    if len({name.rstrip(NUMBER) for name in names.values()}) < 2:
        return {}
    classes = {path: trace.kind.lower() for path, trace in alike.items()}  # roialign
    return {
        path: name.replace("_", " ")
        for path, name in names.items()
        if name.replace("_", "") != classes[path]  # `roi_align` of a RoIAlign repeats the class
    }


def _windows(alike: dict[str, Trace]) -> dict[str, tuple[str, ...]]:
    seen = {
        path: [trace.window] if trace.window else _effective_windows(trace)
        for path, trace in alike.items()
    }
    common = {
        path: found for path, found in seen.items() if len(set(map(_without_stride, found))) == 1
    }
    kernels = {found[0].kernel for found in common.values()}
    dilations = {found[0].dilation for found in common.values()}
    strides = {path: _total_stride(found) for path, found in common.items()}
    any_alone = any(len(found) == 1 for found in common.values())
    some_stride = any_alone or len(set(strides.values())) > 1
    return {
        path: (
            _kernel_text(found[0].kernel) if any_alone or len(kernels) > 1 else "",
            f"stride {_stride_text(strides[path])}"
            if some_stride and max(strides[path]) > 1
            else "",
            f"dilation {_stride_text(found[0].dilation)}" if len(dilations) > 1 else "",
        )
        for path, found in common.items()
    }


def _total_stride(windows: Sequence[Window]) -> tuple[int, ...]:
    """The stride of consecutive windows."""
    return tuple(math.prod(sides) for sides in zip(*(w.stride for w in windows), strict=True))


def _without_stride(window: Window) -> Window:
    """A window without its stride: some blocks of one class halve their maps, some do not."""
    return window._replace(stride=())


def _effective_windows(trace: Trace) -> list[Window]:
    """The windows of the convolutions in a block; if any has a kernel larger than 1, only those."""
    found = list(_convolutions(trace))
    return [window for window in found if math.prod(window.kernel) > 1] or found


def _convolutions(trace: Trace) -> Iterator[Window]:
    for call in trace.calls:
        if call.trace.window and call.trace.macs:
            yield call.trace.window
        yield from _convolutions(call.trace)


def _kernel_text(kernel: tuple[int, ...]) -> str:
    return " × ".join(map(str, kernel)) if len(kernel) > 1 else f"kernel {kernel[0]}"


def _stride_text(sides: tuple[int, ...]) -> str:
    """One number if all dimensions have the same."""
    return str(sides[0]) if len(set(sides)) == 1 else " × ".join(map(str, sides))
