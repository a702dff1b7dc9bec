// Shows the SVG that Python drew: pan, zoom, select, open, keys. Draws nothing itself.
//
// `new View(host)` fills an element of class "graph"; `view.show(data, send)` shows a picture in it,
// as often as there is a new one. Nothing here needs Streamlit or another file, so that a page of
// its own can carry the same view: the parts (patch, motion, walk, hand, this) one after the other are
// one module. `data` is
//   svg       the picture, as studio/drawing/svg.py writes it
//   open      the ids of the open blocks
//   selected  the id of the selected node; '' for none
//   lit       the id of a node that is marked too; '' for none
//   sight     the id of a node to bring into sight whenever it is another one; '' for none
//   levels    the deepest level to open all blocks to; 0 for no such buttons
//   level     the level that is shown; -1 for none of them
//   more      what to say at the deepest level, if blocks are closed there; else ''
//   name      the network's
//   height    of the whole, in pixels or as CSS says it; without it the page's style says
// `send('shown', { open, selected })` tells what the reader asks for, and so does
// `send('shown', { level, selected })`. Whoever grants it answers with another `show`.

const NEAREST = 4;
const FARTHEST = 0.1;
const READABLE = 0.75; // below this scale the texts are too small to start with
const LEGIBLE = 0.5; // as small as they may be for the whole width to be seen
const EDGE = 16; // around a block that is shown whole, and a node that is brought into sight
const TITLE_BAR = 28; // how much of an open block, from its top, closes it
const BUTTONS = [
  ['out', '−', 'Zoom out'],
  ['in', '+', 'Zoom in'],
  ['fit', 'Fit', 'Show the whole graph'],
];

export default function ({ data, parentElement, setTriggerValue }) {
  // Called again with each new picture on the same element, which keeps where the reader looks.
  const host = parentElement.querySelector('.graph');
  host.view ??= new View(host);
  host.view.show(data, setTriggerValue);
}

export class View {
  constructor(host) {
    this.host = host;
    host.innerHTML = `<div class="bar"><span class="levels" role="group" aria-label="Levels"></span>
      <span class="told" aria-live="polite"></span>${BUTTONS.map(button).join('')}
      <span class="more" aria-live="polite"></span></div>
      <div class="canvas" role="group"></div>`;
    this.canvas = host.querySelector('.canvas');
    this.at = null; // { x, y, k }: the picture's corner and scale on the canvas
    this.moved = false; // whether somebody has chosen where to look
    this.listen();
  }

  show(data, send) {
    this.data = { ...data }; // what is asked for is told here before it is granted
    this.send = send;
    const { height } = data; // the wrappers around have none
    if (height) this.host.style.height = Number.isFinite(height) ? `${height}px` : height;
    if (data.svg !== this.drawn) this.redraw();
    this.mark();
    this.tell();
    if (data.sight !== this.sight) this.bring(this.node(data.sight));
    this.sight = data.sight;
  }

  redraw() {
    const { svg: text } = this.data;
    const before = this.at && { at: this.at, boxes: this.boxes };
    const room = this.canvas.getBoundingClientRect();
    const focus = this.host.getRootNode().activeElement?.dataset?.id;
    this.mark({ selected: '', lit: '' }); // as Python wrote it
    if (before) before.gone = patch(this.svg, text);
    else this.canvas.innerHTML = text;
    this.drawn = text;
    this.svg = this.canvas.querySelector('svg');
    this.boxes = boxes(this.svg);
    this.walk = null;
    if (before) this.keep(before, room);
    else this.start();
    if (focus) this.nearest(focus)?.focus({ preventScroll: true });
    if (before) grow(before, { svg: this.svg, at: this.at, boxes: this.boxes }, room);
  }

  // What the page says of it.

  mark({ selected, lit } = this.data) {
    for (const node of this.canvas.querySelectorAll('.node.selected')) {
      node.classList.toggle('selected', [selected, lit].includes(node.dataset.id));
      node.setAttribute('aria-pressed', node.dataset.id === selected);
    }
    for (const id of [lit, selected]) this.node(id)?.classList.add('selected');
    this.node(selected)?.setAttribute('aria-pressed', 'true');
  }

  tell() {
    const { levels, level, more, name } = this.data;
    const row = this.host.querySelector('.levels');
    if (row.dataset.levels !== String(levels)) {
      row.dataset.levels = levels;
      const steps = levels ? Array.from({ length: levels + 1 }, (_, k) => k) : [];
      row.innerHTML = steps.map((k) => button([k, k, depthOf(k)])).join('');
    }
    for (const one of row.children) one.setAttribute('aria-pressed', one.dataset.do === String(level));
    this.say('.told', `${this.boxes.size} box${this.boxes.size === 1 ? '' : 'es'}`);
    this.say('.more', level === levels ? more : '');
    this.canvas.ariaLabel = `Layer graph of ${name}. The arrow keys follow the data.`;
  }

  say(where, text) {
    const place = this.host.querySelector(where);
    if (place.textContent !== text) place.textContent = text; // else it would be spoken again
  }

  // Where things are.

  node(id) {
    return id ? this.canvas.querySelector(`[data-id="${CSS.escape(id)}"]`) : null;
  }

  nearest(id) {
    // The node, or if it is folded away the block that it went into.
    for (let name = id; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.'))))
      if (this.boxes.has(name)) return this.node(name);
    return null;
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

  keep(before, room) {
    // What is read stays where it is: across the first box of all, and down the block that was
    // opened, or the first box in sight (or what that was folded into).
    const { x, y, k } = this.at;
    const inSight = ([, at]) => y + at.y * k >= 0 && y + at.y * k < room.height;
    const sighted = [...before.boxes].filter(inSight).map(([id]) => id);
    const stays = (id) => this.boxes.has(id) && before.boxes.has(id);
    const first = [...before.boxes.keys()].find(stays);
    const kept = [this.toggled, ...sighted].find(stays);
    const row = kept ?? sighted.find((id) => this.nearest(id)) ?? first;
    const id = this.toggled;
    const opened = this.data.open.includes(id) ? this.boxes.get(id) : null;
    this.toggled = null;
    this.moved = true;
    if (!row) return;
    const across = first ? middle(this.boxes.get(first)) - middle(before.boxes.get(first)) : 0;
    const down = this.boxes.get(this.nearest(row).dataset.id).y - before.boxes.get(row).y;
    this.look(x - across * k, y - down * k, k);
    if (opened) this.frame({ ...opened, ...this.across(id) });
  }

  across(id) {
    // From side to side, the outermost block around an open one that can be shown so.
    const { width } = this.canvas.getBoundingClientRect();
    const parts = id.split('.');
    const around = parts.map((_, i) => this.boxes.get(parts.slice(0, i + 1).join('.')));
    const { x, w } = around.find((box) => box && box.w * LEGIBLE <= width - 2 * EDGE) ?? around.at(-1);
    return { x, w };
  }

  frame({ x, y, w, h }) {
    // The whole of a block that was opened: moved into sight, and smaller where there is no room.
    const { width, height } = this.canvas.getBoundingClientRect();
    const { at } = this;
    const k = Math.min(at.k, (width - 2 * EDGE) / w, (height - 2 * EDGE) / h);
    const into = (low, size, room) => Math.max(EDGE, Math.min(low, room - EDGE - size));
    const left = into(at.x + x * at.k + (w * (at.k - k)) / 2, w * k, width);
    const top = into(at.y + y * at.k, h * k, height);
    this.look(left - x * k, top - y * k, k);
  }

  start() {
    // The whole picture if it can be read so; else its top, as large as it is wide, or where even
    // that is too small, its input.
    const { width, height, w, h } = this.size();
    const wide = Math.min(1, width / w);
    const whole = Math.min(wide, height / h);
    const k = whole >= READABLE ? whole : wide >= LEGIBLE ? wide : READABLE;
    const [first] = this.boxes.values(); // where the data come in
    const x = w * k <= width ? (width - w * k) / 2
      : Math.max(width - w * k, Math.min(0, width / 2 - middle(first) * k));
    this.look(x, Math.max(0, (height - h * k) / 2), k);
    this.expose(this.nearest(this.data.selected));
    this.moved = false;
  }

  expose(node) {
    // What a link selects, where the graph lies below the window's edge or under a sheet.
    if (!node) return;
    if (node.querySelector('.face').getBoundingClientRect().bottom > this.lowest())
      this.host.scrollIntoView({ block: 'start' });
    this.bring(node);
  }

  lowest() {
    // How far down a window can be seen: a page says by --covered how much a sheet may lie over.
    const covered = parseFloat(getComputedStyle(this.canvas).scrollPaddingBottom) || 0;
    return window.innerHeight - covered;
  }

  clear() {
    // The part of the canvas that can be seen; all of it where that is too little to move to.
    const { left, right, top, bottom } = this.canvas.getBoundingClientRect();
    const low = Math.min(bottom, this.lowest());
    return { left, right, top, bottom: low - top > 6 * EDGE ? low : bottom };
  }

  fit() {
    this.moved = true;
    const { width, height, w, h } = this.size();
    const k = Math.min(1, width / w, height / h);
    this.look((width - w * k) / 2, (height - h * k) / 2, k);
  }

  drag(dx, dy) {
    this.moved = true;
    this.look(this.at.x + dx, this.at.y + dy, this.at.k);
  }

  zoom(factor, px, py) {
    this.moved = true;
    const { x, y, k } = this.at;
    const next = Math.min(NEAREST, Math.max(FARTHEST, k * factor));
    this.look(px - ((px - x) * next) / k, py - ((py - y) * next) / k, next);
  }

  bring(node) {
    if (!node) return;
    const face = node.querySelector('.face').getBoundingClientRect();
    const room = this.clear();
    const out = (low, high, least, most) => (low < least ? least - low : Math.min(0, most - high));
    const dx = out(face.left, Math.min(face.right, face.left + 80), room.left + EDGE, room.right - EDGE);
    const dy = out(face.top, Math.min(face.bottom, face.top + 60), room.top + EDGE, room.bottom - EDGE);
    if (dx || dy) this.drag(dx, dy);
  }

  // What a person does.

  tap({ target, clientY, detail }) {
    const node = target.closest('.node');
    if (!node) return;
    const top = node.querySelector('.face').getBoundingClientRect().top;
    const folds = !detail || !node.matches('.open') || clientY - top < TITLE_BAR * this.at.k;
    this.act(node.dataset.id, folds && node.matches('.block'));
  }

  act(id, folds) {
    const { open, selected } = this.data;
    if (folds) {
      this.toggled = id;
      const next = open.includes(id) ? open.filter((other) => other !== id) : [...open, id];
      this.ask({ open: next, selected: id });
    } else {
      this.ask({ open, selected: id === selected ? '' : id });
    }
  }

  ask(wish) {
    Object.assign(this.data, wish);
    this.mark(); // at once; a block opens when its picture is there
    this.send('shown', wish);
  }

  key(event) {
    const node = event.target.closest('.node');
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const { id } = node.dataset;
    if (event.key === 'Enter') this.act(id, node.matches('.block'));
    else if (event.key === ' ') this.act(id, false);
    else if (event.key.startsWith('Arrow')) {
      this.walk ??= new Walk(this.svg, this.boxes);
      this.node(this.walk.step(id, event.key))?.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
  }

  press(todo) {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (todo === 'in') this.zoom(1.25, width / 2, height / 2);
    else if (todo === 'out') this.zoom(0.8, width / 2, height / 2);
    else if (todo === 'fit') this.fit();
    else if (todo) this.ask({ level: +todo, selected: this.data.selected });
  }

  listen() {
    hold(this.canvas, this);
    new ResizeObserver(() => { if (this.svg && !this.moved) this.start(); }).observe(this.canvas);
    this.canvas.addEventListener('keydown', (event) => this.key(event));
    this.canvas.addEventListener('focusin', ({ target }) => {
      // The canvas does not scroll; the picture is moved to a node that keys reached, if need be.
      if (target.matches(':focus-visible')) this.bring(target);
    });
    const bar = this.host.querySelector('.bar');
    bar.addEventListener('click', ({ target }) => this.press(target.closest('button')?.dataset.do));
  }
}

function depthOf(k) {
  return k === 0 ? 'Close all blocks' : `Open ${k} level${k > 1 ? 's' : ''}`;
}

function button([todo, sign, name]) {
  return `<button type="button" data-do="${todo}" aria-label="${name}" title="${name}">${sign}</button>`;
}
