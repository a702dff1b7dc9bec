"""Graphs drawn by hand, as papers draw them: a ViT, a ResNet stage, a U-Net, an Inception block."""

from __future__ import annotations

from itertools import pairwise

from studio.drawing.graph import Edge, Graph, Kind, Node


def node(
    id: str, label: str, detail: str = "", kind: Kind = "module", *children: Node, repeat: int = 1
) -> Node:
    return Node(id=id, label=label, detail=detail, kind=kind, children=children, repeat=repeat)


def root(label: str, *children: Node) -> Node:
    return node("", label, "", "module", *children)


def chain(label: str, *ids: str) -> tuple[Edge, ...]:
    return tuple(Edge(a, b, label) for a, b in pairwise(ids))


def vit() -> Graph:
    b = "blocks.0"
    attn = node(
        f"{b}.attn",
        "SelfAttention",
        "12 heads × 64",
        "module",
        node(f"{b}.q", "Linear", "q"),
        node(f"{b}.k", "Linear", "k"),
        node(f"{b}.v", "Linear", "v"),
        node(f"{b}.sdpa", "softmax attention", kind="operation"),
        node(f"{b}.proj", "Linear", "proj"),
    )
    mlp = node(
        f"{b}.mlp",
        "MLP",
        "768 → 3072 → 768",
        "module",
        node(f"{b}.fc1", "Linear", "768 → 3072"),
        node(f"{b}.act", "GELU"),
        node(f"{b}.fc2", "Linear", "3072 → 768"),
    )
    block = node(
        b,
        "EncoderBlock",
        "7.09 M parameters",
        "module",
        node(f"{b}.norm1", "LayerNorm"),
        attn,
        node(f"{b}.add1", "+", kind="operation"),
        node(f"{b}.norm2", "LayerNorm"),
        mlp,
        node(f"{b}.add2", "+", kind="operation"),
        repeat=12,
    )
    net = root(
        "ViT",
        node("images", "images", kind="input"),
        node("patch", "PatchEmbedding", "16 × 16, stride 16"),
        node("cls", "class token", kind="parameter"),
        node("cat", "concat", kind="operation"),
        node("pos", "position embedding", kind="parameter"),
        node("add", "+", kind="operation"),
        block,
        node("norm", "LayerNorm"),
        node("head", "Linear", "768 → 1000"),
        node("logits", "logits", kind="output"),
    )
    tokens = "(B, 197, 768)"
    edges = (
        Edge("images", "patch", "(B, 3, 224, 224)"),
        Edge("patch", "cat", "(B, 196, 768)"),
        Edge("cls", "cat", "(B, 1, 768)"),
        Edge("cat", "add", tokens),
        Edge("pos", "add", "(1, 197, 768)"),
        *chain(tokens, "add", f"{b}.norm1"),
        Edge("add", f"{b}.add1", tokens),
        *(Edge(f"{b}.norm1", f"{b}.{x}", tokens) for x in "qkv"),
        *(Edge(f"{b}.{x}", f"{b}.sdpa", "(B, 12, 197, 64)") for x in "qkv"),
        *chain(tokens, f"{b}.sdpa", f"{b}.proj", f"{b}.add1", f"{b}.norm2", f"{b}.fc1"),
        *chain("(B, 197, 3072)", f"{b}.fc1", f"{b}.act", f"{b}.fc2"),
        Edge(f"{b}.add1", f"{b}.add2", tokens),
        *chain(tokens, f"{b}.fc2", f"{b}.add2", "norm", "head"),
        Edge("head", "logits", "(B, 1000)"),
    )
    return Graph(net, edges)


def resnet() -> Graph:
    def bottleneck(id: str, repeat: int, down: bool) -> Node:
        parts = [
            node(f"{id}.conv1", "Conv2d", "1 × 1"),
            node(f"{id}.bn1", "BatchNorm2d"),
            node(f"{id}.conv2", "Conv2d", "3 × 3, stride 2" if down else "3 × 3"),
            node(f"{id}.bn2", "BatchNorm2d"),
            node(f"{id}.conv3", "Conv2d", "1 × 1"),
            node(f"{id}.bn3", "BatchNorm2d"),
            node(f"{id}.add", "+", kind="operation"),
            node(f"{id}.relu", "ReLU"),
        ]
        if down:
            parts.insert(6, node(f"{id}.short", "Conv2d", "1 × 1, stride 2"))
        return node(id, "Bottleneck", "", "module", *parts, repeat=repeat)

    net = root(
        "stage",
        node("x", "x", kind="input"),
        bottleneck("a", 1, True),
        bottleneck("b", 3, False),
        node("y", "y", kind="output"),
    )
    shape = "(B, 512, 28, 28)"
    edges = [Edge("x", "a.conv1", "(B, 256, 56, 56)"), Edge("x", "a.short", "(B, 256, 56, 56)")]
    edges += [Edge("a.short", "a.add", shape), Edge("a.relu", "b.add", shape)]
    for block in "ab":
        path = [f"{block}.{p}" for p in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "add")]
        edges += chain(shape, *path, f"{block}.relu")
    edges += [Edge("a.relu", "b.conv1", shape), Edge("b.relu", "y", shape)]
    return Graph(net, tuple(edges))


def unet() -> Graph:
    widths = (64, 128, 256, 512)
    parts = [node("x", "image", kind="input")]
    edges: list[Edge] = []
    last = "x"
    for i, width in enumerate(widths):
        parts += [node(f"e{i}", "DoubleConv", f"{width} channels"), node(f"p{i}", "MaxPool2d")]
        edges += chain(f"(B, {width}, {256 >> i}, {256 >> i})", last, f"e{i}", f"p{i}")
        last = f"p{i}"
    parts.append(node("mid", "DoubleConv", "1024 channels"))
    edges += chain("(B, 512, 16, 16)", last, "mid")
    last = "mid"
    for i in (3, 2, 1, 0):
        parts += [
            node(f"u{i}", "ConvTranspose2d", f"{widths[i]} channels"),
            node(f"c{i}", "concat", kind="operation"),
            node(f"d{i}", "DoubleConv", f"{widths[i]} channels"),
        ]
        edges += chain(f"(B, {widths[i]}, {256 >> i}, {256 >> i})", last, f"u{i}", f"c{i}", f"d{i}")
        edges.append(Edge(f"e{i}", f"c{i}", f"(B, {widths[i]}, {256 >> i}, {256 >> i})"))
        last = f"d{i}"
    parts += [node("out", "Conv2d", "1 × 1"), node("y", "mask", kind="output")]
    edges += chain("(B, 1, 256, 256)", last, "out", "y")
    return Graph(root("U-Net", *parts), tuple(edges))


def inception() -> Graph:
    block = node(
        "i",
        "InceptionBlock",
        "3a",
        "module",
        node("i.a", "Conv2d", "1 × 1"),
        node("i.b1", "Conv2d", "1 × 1"),
        node("i.b2", "Conv2d", "3 × 3"),
        node("i.c1", "Conv2d", "1 × 1"),
        node("i.c2", "Conv2d", "5 × 5"),
        node("i.d1", "MaxPool2d", "3 × 3"),
        node("i.d2", "Conv2d", "1 × 1"),
        node("i.cat", "concat", kind="operation"),
    )
    net = root(
        "",
        node("x", "x", kind="input"),
        block,
        node("y", "y", kind="output"),
    )
    edges = [Edge("x", f"i.{c}", "(B, 192, 28, 28)") for c in ("a", "b1", "c1", "d1")]
    edges += chain("(B, 64, 28, 28)", "i.a", "i.cat")
    edges += chain("(B, 128, 28, 28)", "i.b1", "i.b2", "i.cat")
    edges += chain("(B, 32, 28, 28)", "i.c1", "i.c2", "i.cat")
    edges += chain("(B, 32, 28, 28)", "i.d1", "i.d2", "i.cat")
    return Graph(net, (*edges, Edge("i.cat", "y", "(B, 256, 28, 28)")))


def pyramid() -> Graph:
    """A backbone of three stages, and a feature pyramid above it with its way back down."""
    stages = [node(f"c{i}", "Stage", f"C{i}") for i in (3, 4, 5)]
    levels = [node(f"l{i}", "Conv2d", f"lateral {i}") for i in (3, 4, 5)]
    tops = [node(f"p{i}", "Conv2d", f"P{i}") for i in (3, 4, 5)]
    sums = [node(f"s{i}", "+", kind="operation") for i in (3, 4)]
    net = root(
        "",
        node("x", "x", kind="input"),
        node("backbone", "Backbone", "", "module", *stages),
        node("fpn", "FPN", "", "module", *levels, *reversed(sums), *tops),
        *(node(f"y{i}", "y", kind="output") for i in (3, 4, 5)),
    )
    edges = [*chain("", "x", "c3", "c4", "c5"), *chain("", "l5", "s4", "s3", "p3", "y3")]
    edges += [Edge(f"c{i}", f"l{i}") for i in (3, 4, 5)]
    edges += [Edge("l3", "s3"), Edge("l4", "s4"), Edge("s4", "p4"), Edge("l5", "p5")]
    edges += [Edge("p4", "y4"), Edge("p5", "y5")]
    return Graph(net, tuple(edges))


def denoiser() -> Graph:
    """Blocks a to d in a column with two skips, and a time step that feeds them all."""
    parts = [node(name, "ResBlock") for name in "abmcd"]
    net = root(
        "",
        node("x", "x", kind="input"),
        node("t", "t", kind="input"),
        *parts,
        node("y", "y", kind="output"),
    )
    edges = [*chain("", "x", "a", "b", "m", "c", "d", "y"), Edge("a", "d"), Edge("b", "c")]
    return Graph(net, (*edges, *(Edge("t", name) for name in "abmcd")))


EXAMPLES = {"vit": vit, "resnet": resnet, "unet": unet, "inception": inception}


def blocks(graph: Graph) -> frozenset[str]:
    """Every block of the graph: open them all and nothing is hidden."""
    return frozenset(n.id for n in graph.root.walk() if n.children)
