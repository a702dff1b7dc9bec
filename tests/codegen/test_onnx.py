"""Models convert to ONNX as they are built: with gradients on, and with the same answers.

All families take minutes; each commit tries those whose attention has a trained bias, which needs
care, and another one.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import studio
from studio.family import Design
from tests.commit_sample import commit_sample
from tests.designs import small, tensors

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

# Their choice of proposals takes the converter a minute.
SLOW = {"faster_rcnn", "mask_rcnn"}
OTHERS = sorted(studio.families().keys() - {"t5"} - SLOW)


def with_a_trained_bias() -> dict[str, Design]:
    t5 = studio.design("t5", depth=1, decoder_depth=1, embed_dim=64, mlp_dim=64, num_heads=2)
    return {"t5": t5.replace(seq_len=8, target_len=16, vocab_size=50, head_dim=16)}


SUBJECTS = with_a_trained_bias() | {
    key: small(studio.families()[key]) for key in commit_sample("onnx", OTHERS, 1)
}


@pytest.mark.parametrize("key", SUBJECTS)
def test_a_model_with_gradients_becomes_onnx_that_answers_alike(key: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = studio.build(SUBJECTS[key])
    inputs = studio.example(SUBJECTS[key])
    assert any(parameter.requires_grad for parameter in model.parameters())
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter itself
        torch.onnx.export(model, inputs, path, dynamo=True, verbose=False)
    answers = run(path, inputs)
    with torch.no_grad():
        expected = tensors(model(*inputs))
    assert len(answers) == len(expected)
    for answer, tensor in zip(answers, expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(answer), tensor, rtol=1e-3, atol=1e-4)


def run(path: Path, inputs: tuple[torch.Tensor, ...]) -> list[Any]:
    """What the reference evaluator of ONNX makes of the inputs."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(str(path))
    feeds = dict(zip(evaluator.input_names, (x.numpy() for x in inputs), strict=True))
    return list(evaluator.run(None, feeds))
