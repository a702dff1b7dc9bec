"""What the top of the page cites."""

from __future__ import annotations

from dataclasses import replace

from studio import zoo
from studio.app.header.headline import paper_of
from studio.workbench.page.figures import published_count


def test_a_source_is_told_by_a_short_name_that_leads_there() -> None:
    text = published_count(2, 2, "https://github.com/owner/repo, counted")
    assert 'href="https://github.com/owner/repo"' in text
    assert ">owner/repo, counted</a>" in text
    assert "href" not in published_count(2, 2, "torchvision")


def test_a_composition_of_ones_own_has_no_paper() -> None:
    hybrid = zoo.family("hybrid").design()
    assert paper_of(hybrid).startswith("https://")
    stages = hybrid.config.stages
    own = replace(hybrid, config=replace(hybrid.config, stages=(*stages, stages[-1])))
    assert own.preset is None
    assert paper_of(own) == ""
    assert paper_of(zoo.family("vit").design(depth=5)).startswith("https://")
