// Shows the SVG that Python drew: pan, zoom, click, keyboard. Draws nothing itself.
//
// Streamlit calls the default function again with each new picture, on the same element, so the
// view (where the reader looks) lives on that element and survives every re-run.

const NEAREST = 4;
const FARTHEST = 0.1;
const READABLE = 0.75; // below this scale the texts are too small to start with
const STILL = 4; // pixels that the pointer may move within a click

export default function ({ data, parentElement, setTriggerValue }) {
  const host = parentElement.querySelector('.graph');
  host.view ??= new View(host);
  host.view.show(data, setTriggerValue);
}

class View {
  constructor(host) {
    this.host = host;
    this.canvas = host.querySelector('.canvas');
    this.at = null; // { x, y, k }: the picture's corner and scale on the canvas
    this.listen();
  }

  show(data, setTriggerValue) {
    this.data = data;
    this.send = setTriggerValue;
    this.host.style.height = `${data.height}px`; // the wrappers around it have no height of their own
    if (data.svg === this.drawn) return;
    const focus = this.host.getRootNode().activeElement?.dataset?.id;
    const first = this.canvas.querySelector('.node')?.dataset.id;
    const anchors = [first, this.toggled ?? first];
    const before = anchors.map((id) => this.place(id));
    this.canvas.innerHTML = data.svg;
    this.drawn = data.svg;
    this.svg = this.canvas.querySelector('svg');
    if (this.at) this.keep(before, anchors.map((id) => this.place(id)));
    else this.start();
    this.toggled = null;
    if (focus) this.node(focus)?.focus({ preventScroll: true });
    if (data.sight !== this.sight) this.bring(this.node(data.sight));
    this.sight = data.sight;
  }

  // Where things are.

  node(id) {
    return id && this.canvas.querySelector(`[data-id="${CSS.escape(id)}"]`);
  }

  place(id) {
    const face = this.node(id)?.querySelector('.face');
    if (!face) return null;
    const [x, y, w] = ['x', 'y', 'width'].map((name) => +face.getAttribute(name));
    return { x: x + w / 2, y };
  }

  size() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return { width, height, w: this.svg.width.baseVal.value, h: this.svg.height.baseVal.value };
  }

  // What moves them.

  look(x, y, k) {
    this.at = { x, y, k };
    this.svg.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    this.host.dataset.view = [x, y, k].map((v) => v.toFixed(2)).join(' ');
  }

  keep([column, row], [newColumn, newRow]) {
    // What is read stays where it is: the first box's column, and the block that was opened.
    const { x, y, k } = this.at;
    const dx = column && newColumn ? newColumn.x - column.x : 0;
    const dy = row && newRow ? newRow.y - row.y : 0;
    this.look(x - dx * k, y - dy * k, k);
  }

  start() {
    // The whole picture if it can be read so; else its top, as large as it is wide.
    const { width, height, w, h } = this.size();
    const whole = Math.min(1, width / w, height / h);
    const k = whole >= READABLE ? whole : Math.max(READABLE, Math.min(1, width / w));
    this.look((width - w * k) / 2, Math.max(0, (height - h * k) / 2), k);
  }

  fit() {
    const { width, height, w, h } = this.size();
    const k = Math.min(1, width / w, height / h);
    this.look((width - w * k) / 2, (height - h * k) / 2, k);
  }

  zoom(factor, px, py) {
    const { x, y, k } = this.at;
    const next = Math.min(NEAREST, Math.max(FARTHEST, k * factor));
    this.look(px - ((px - x) * next) / k, py - ((py - y) * next) / k, next);
  }

  // What a person does.

  act(node) {
    if (!node) return;
    const { id } = node.dataset;
    const { open, selected } = this.data;
    if (node.classList.contains('block')) {
      this.toggled = id;
      const next = open.includes(id) ? open.filter((o) => o !== id) : [...open, id];
      this.send('shown', { open: next, selected });
    } else {
      this.send('shown', { open, selected: id === selected ? '' : id });
    }
  }

  listen() {
    const { canvas } = this;
    let press = null;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button === 0) press = { x: event.clientX, y: event.clientY, at: this.at };
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!press || !(event.buttons & 1)) return;
      const [dx, dy] = [event.clientX - press.x, event.clientY - press.y];
      if (!press.moved && Math.hypot(dx, dy) < STILL) return;
      if (!press.moved) canvas.setPointerCapture(event.pointerId);
      press.moved = true;
      canvas.classList.add('dragged');
      this.look(press.at.x + dx, press.at.y + dy, press.at.k);
    });
    canvas.addEventListener('pointerup', () => canvas.classList.remove('dragged'));
    canvas.addEventListener('click', (event) => {
      if (!press?.moved) this.act(event.target.closest('.node'));
      press = null;
    });
    canvas.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.act(event.target.closest('.node'));
    });
    canvas.addEventListener('focusin', (event) => this.reveal(event.target));
    canvas.addEventListener('wheel', (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
      event.preventDefault();
      const { left, top } = canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    }, { passive: false });
    this.host.querySelector('.bar').addEventListener('click', ({ target }) => {
      const { width, height } = canvas.getBoundingClientRect();
      const todo = {
        in: () => this.zoom(1.25, width / 2, height / 2),
        out: () => this.zoom(0.8, width / 2, height / 2),
        fit: () => this.fit(),
      };
      todo[target.closest('button')?.dataset.do]?.();
    });
  }

  reveal(node) {
    // The browser scrolls the canvas to a focused node; move the picture instead, if need be.
    this.canvas.scrollTo(0, 0);
    if (node.matches(':focus-visible')) this.bring(node);
  }

  bring(node) {
    if (!node) return;
    const face = node.querySelector('.face').getBoundingClientRect();
    const room = this.canvas.getBoundingClientRect();
    const out = (low, high, least, most) => (low < least ? least - low : Math.min(0, most - high));
    const { x, y, k } = this.at;
    const dx = out(face.left, Math.min(face.right, face.left + 80), room.left + 16, room.right - 16);
    const dy = out(face.top, Math.min(face.bottom, face.top + 60), room.top + 16, room.bottom - 16);
    if (dx || dy) this.look(x + dx, y + dy, k);
  }
}
