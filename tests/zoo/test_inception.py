"""GoogLeNet's auxiliary heads work in training, and cost nothing afterwards."""

from __future__ import annotations

import torch

import studio


def test_auxiliary_logits_are_further_outputs_in_training_only() -> None:
    design = studio.design("inception", base_channels=8, image_size=64, aux_logits=True)
    model, (images,) = studio.build(design), studio.example(design, batch=2)
    assert [tuple(t.shape) for t in model.train()(images)] == [(2, 1000)] * 3
    assert isinstance(model.eval()(images), torch.Tensor)
    plain, heads = (studio.profile(design.replace(aux_logits=on)) for on in (False, True))
    assert heads.params > plain.params
    assert heads.macs == plain.macs


def test_the_loss_of_an_auxiliary_head_reaches_the_first_modules_and_not_the_last() -> None:
    design = studio.design("inception", base_channels=8, image_size=64, aux_logits=True)
    model, (images,) = studio.build(design).train(), studio.example(design, batch=2)
    _, on_4d, on_4a = model(images)
    on_4a.sum().backward(retain_graph=True)
    learned = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert learned == {"stem", "stage3", "stage4a", "aux"}
    on_4d.sum().backward()
    learned = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None}
    assert learned == {"stem", "stage3", "stage4a", "stage4b", "aux"}
