"""A visitor of a class: not a browser, but a client that speaks Streamlit's protocol as a browser
does. It tells where a slider was put, presses a button, and asks again for the parts of the page
that look again by themselves.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.app.conftest import rows_of

PATIENCE_S = 120.0
SHOWN = re.compile(r"<h6>Parameters</h6><b>([^<]*)</b>")


@dataclass(frozen=True)
class Table:
    """The values of a slider, as the page has sent them: the component and its part of the page."""

    id: str = ""
    part: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        return int(self.data.get("answers", 0))

    @property
    def complete(self) -> bool:
        return bool(self.data.get("complete"))

    @property
    def values(self) -> list[float]:
        return [one["value"] for one in self.data.get("landings", ())]


class Visitor:
    """One reader's page: what it shows, and what a browser would do about it."""

    def __init__(self, link: str, knob: str) -> None:
        self.link, self.knob = link, knob
        self._address = link  # as the page has changed it since
        self._wire: ClientConnection
        self._news = asyncio.Condition()
        self._looks: dict[str, asyncio.Task[None]] = {}  # by the part of the page that looks again
        self._buttons: dict[str, str] = {}
        self._large: dict[str, ForwardMsg] = {}
        self._panel, self._row = "", dict[str, Any]()  # the knob panel, and the row of the slider
        self._serial, self._value, self._questions = 0, 0.0, 0
        self.table = Table()
        self._way = 1
        self.name = self.shown = ""
        self.running, self.progress = True, 0

    async def open(self, port: int) -> None:
        address = f"ws://127.0.0.1:{port}/_stcore/stream"
        self._wire = await connect(address, subprotocols=["streamlit"], max_size=None)
        self._reading = asyncio.create_task(self._read())
        await self._ask()
        await self._until(lambda: not self.running)

    async def close(self) -> None:
        self._stop_looking(tuple(self._looks))
        await self._wire.close()
        await self._reading

    async def settle(self) -> None:
        """Until the page has what it measures by itself."""
        await self._until(lambda: not self.running and not self._looks)

    async def move(self, steps: int = 1) -> float:
        """Put the slider some steps further, or back from its end; seconds to the new figure."""
        track, before = self._row["track"], self.shown
        if not track["low"] <= self._value + self._way * steps * track["step"] <= track["high"]:
            self._way = -self._way
        # Where the hand has put it, whatever is drawn.
        self._value += self._way * steps * track["step"]
        self._serial += 1
        began = monotonic()
        await self._ask()
        await self._until(lambda: self.shown != before)
        return monotonic() - began

    async def hover(self, most_s: float) -> tuple[float, float]:
        """Bring the pointer to the slider and wait for its values, for so long at the most; seconds
        to the first of them, and to the last that came."""
        began, first, last = monotonic(), 0.0, 0.0
        while monotonic() - began < most_s:
            self._questions += 1
            await self._ask(part=self.table.part)
            await self._until(lambda: self.table.answers >= self._questions)
            if len(self.table.values) > 1:
                last = monotonic() - began
                first = first or last
            if self.table.complete:
                break
        return first, last

    async def sweep(self) -> float:
        """Press the button; seconds to the sweep's first point."""
        self.progress, began = 0, monotonic()
        await self._ask(WidgetState(id=self._buttons["Benchmark this axis"], trigger_value=True))
        await self._until(lambda: self.progress > 0)
        return monotonic() - began

    async def _ask(self, *pressed: WidgetState, part: str = "") -> None:
        asked = BackMsg()
        asked.rerun_script.query_string = self._address
        asked.rerun_script.fragment_id = part
        asked.rerun_script.is_auto_rerun = bool(part)
        asked.rerun_script.widget_states.widgets.extend([*self._told(), *pressed])
        await self._wire.send(asked.SerializeToString())

    async def _until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(true)

    async def _read(self) -> None:
        async for data in self._wire:
            assert isinstance(data, bytes)
            self._take(self._whole(ForwardMsg.FromString(data)))
            async with self._news:
                self._news.notify_all()

    def _whole(self, message: ForwardMsg) -> ForwardMsg:
        """A large message that the browser has is sent as its name."""
        if message.WhichOneof("type") == "ref_hash":
            return self._large[message.ref_hash]
        if message.metadata.cacheable:
            self._large[message.hash] = message
        return message

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self.name, self.running = message.new_session.initialize.session_id, True
                whole = not message.metadata.run.fragment_ids
                self._stop_looking(tuple(self._looks) * whole)
            case "script_finished":
                self.running = False
            case "auto_rerun":
                again = message.auto_rerun
                if again.fragment_id not in self._looks:
                    looking = self._look(again.fragment_id, again.interval)
                    self._looks[again.fragment_id] = asyncio.create_task(looking)
            case "page_info_changed":
                self._address = message.page_info_changed.query_string
            case "stop_auto_rerun":
                self._stop_looking(message.stop_auto_rerun.fragment_ids)
            case "delta":
                self._draw(message.delta.new_element, message.delta.fragment_id)

    def _draw(self, element: Element, part: str) -> None:
        match element.WhichOneof("type"):
            case "bidi_component":
                self._mount(element.bidi_component, part)
            case "button":
                self._buttons[element.button.label] = element.button.id
            case "progress":
                self.progress = element.progress.value

    def _mount(self, component: BidiComponent, part: str) -> None:
        data = json.loads(component.json)
        if data.get("part") == "figures":
            found = SHOWN.search(data["html"])
            self.shown = found[1] if found else self.shown
        elif "landings" in data:
            self.table = Table(component.id, part, data)
        elif "sections" in data:
            self._put(component.id, data)

    def _told(self) -> Iterator[WidgetState]:
        """The last move of the hand, and the slider that it is on."""
        if self._serial:
            moves = [{"serial": self._serial, "row": self.knob, "value": self._value}]
            given = {"moves": {"panel": "a panel", "moves": moves}}
            yield WidgetState(id=self._panel, json_value=json.dumps(given))
        if self._questions:
            want = {"row": self.knob, "at": self._value, "number": self._questions}
            yield WidgetState(id=self.table.id, json_value=json.dumps({"want": want}))

    def _put(self, panel: str, data: dict[str, Any]) -> None:
        """A slider that the hand has moved stays there, until the page knows of it."""
        self._panel, self._row = panel, rows_of(data)[self.knob]
        if data["applied"].get("a panel", 0) == self._serial:
            self._value = self._row["value"]

    async def _look(self, part: str, interval_s: float) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(interval_s)
                await self._ask(part=part)

    def _stop_looking(self, parts: Iterable[str]) -> None:
        for part in parts:
            if part in self._looks:
                self._looks.pop(part).cancel()
