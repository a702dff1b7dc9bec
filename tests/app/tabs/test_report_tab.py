"""The HTML report in a browser, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio import cli

pytestmark = pytest.mark.browser


def test_a_report_opens_from_a_file_without_a_request(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "resnet.html"
    assert cli.main(["report", "resnet", "--preset", "ResNet-18", "--out", str(path)]) == 0
    page = chromium.new_page()
    requests: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    assert page.title().startswith("ResNet-18")
    assert page.locator("h2").count() == 6
    assert page.locator("figure svg").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.close()
    assert requests == [path.as_uri()]
    assert faults == []
