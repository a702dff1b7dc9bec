// The interactive viewer of an SVG drawn by Python: pan, zoom, select, expand, keyboard navigation.
//
// `new View(host)` fills an element of class "graph"; `view.show(data, send)` shows a picture in it
// and can be called repeatedly. It does not depend on Streamlit: the files patch, motion, keyboard,
// pointer and this one, concatenated, are the beginning of a module on the page and in exported files.
// `data` is
//   svg       the picture, from studio/drawing/render/svg.py
//   open      the ids of the open blocks
//   selected  the id of the selected node, or ''
//   highlighted  the id of a second highlighted node, or ''
//   scroll_to  the id of a node to scroll into view when it changes, or ''
//   levels    the deepest expansion level; 0 for no level buttons
//   level     the current expansion level; -1 for none
//   more      a note at the deepest level if blocks stay closed there, or ''
//   name      the name of the network
//   height    in pixels or as a CSS length; without it the style sheet decides
// `send('shown', { open, selected })` or `send('shown', { level, selected })` requests a change; the
// caller answers with another `show`.

const NEAREST = 4;
const FARTHEST = 0.1;
const READABLE = 0.75; // smallest initial scale for the whole picture
const LEGIBLE = 0.5; // smallest initial scale for the whole width
const EDGE = 16; // margin around a block or node that is scrolled into view
const TITLE_BAR = 28; // height of the part of an open block that closes it on a click
const BUTTONS = [
  ['out', '−', 'Zoom out'],
  ['in', '+', 'Zoom in'],
  ['fit', 'Fit', 'Show the whole graph'],
];

export class View {
  constructor(host) {
    this.host = host;
    host.innerHTML = `<div class="bar"><span class="levels" role="group" aria-label="Levels"></span>
      <span class="count" aria-live="polite"></span>${BUTTONS.map(button).join('')}
      <span class="more" aria-live="polite"></span></div>
      <div class="canvas" role="group"></div>`;
    this.canvas = host.querySelector('.canvas');
    this.at = null; // { x, y, k }: corner and scale of the picture on the canvas
    this.moved = false; // true after the user has panned or zoomed
    this.listen();
  }

  show(data, send) {
    this.data = { ...data }; // requested changes are written here before they are granted
    this.send = send;
    const { height } = data; // the elements around have no height of their own
    if (height) this.host.style.height = Number.isFinite(height) ? `${height}px` : height;
    if (data.svg !== this.drawn) this.redraw();
    this.mark();
    this.updateControls();
    if (data.scroll_to !== this.scroll_to) this.bring(this.node(data.scroll_to));
    this.scroll_to = data.scroll_to;
  }

  redraw() {
    const { svg: text } = this.data;
    const before = this.at && { at: this.at, boxes: this.boxes };
    const room = this.canvas.getBoundingClientRect();
    const focus = this.host.getRootNode().activeElement?.dataset?.id;
    this.mark({ selected: '', highlighted: '' }); // the SVG comes without highlights
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

  // Controls and texts.

  mark({ selected, highlighted } = this.data) {
    for (const node of this.canvas.querySelectorAll('.node.selected')) {
      node.classList.toggle('selected', [selected, highlighted].includes(node.dataset.id));
      node.setAttribute('aria-pressed', node.dataset.id === selected);
    }
    for (const id of [highlighted, selected]) this.node(id)?.classList.add('selected');
    this.node(selected)?.setAttribute('aria-pressed', 'true');
  }

  updateControls() {
    const { levels, level, more, name } = this.data;
    const row = this.host.querySelector('.levels');
    if (row.dataset.levels !== String(levels)) {
      row.dataset.levels = levels;
      const steps = levels ? Array.from({ length: levels + 1 }, (_, k) => k) : [];
      row.innerHTML = steps.map((k) => button([k, k, depthOf(k)])).join('');
    }
    for (const one of row.children) one.setAttribute('aria-pressed', one.dataset.do === String(level));
    this.say('.count', `${this.boxes.size} box${this.boxes.size === 1 ? '' : 'es'}`);
    this.say('.more', level === levels ? more : '');
    this.canvas.ariaLabel = `Layer graph of ${name}. The arrow keys follow the data.`;
  }

  say(where, text) {
    const place = this.host.querySelector(where);
    if (place.textContent !== text) place.textContent = text; // else screen readers repeat it
  }

  // Geometry.

  node(id) {
    return id ? this.canvas.querySelector(`[data-id="${CSS.escape(id)}"]`) : null;
  }

  nearest(id) {
    // The node, or the closed block around it.
    for (let name = id; name; name = name.slice(0, Math.max(0, name.lastIndexOf('.'))))
      if (this.boxes.has(name)) return this.node(name);
    return null;
  }

  size() {
    const { width, height } = this.canvas.getBoundingClientRect();
    return { width, height, w: this.svg.width.baseVal.value, h: this.svg.height.baseVal.value };
  }

  // Pan and zoom.

  look(x, y, k) {
    this.at = { x, y, k };
    this.svg.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    this.host.dataset.view = [x, y, k].map((v) => v.toFixed(2)).join(' ');
  }

  keep(before, room) {
    // Keep the view on the same content: horizontally on the first box, vertically on the block that
    // was opened, or on the first visible box (or the closed block around it).
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
    // The horizontal extent of the outermost block around an open one that fits the canvas.
    const { width } = this.canvas.getBoundingClientRect();
    const parts = id.split('.');
    const around = parts.map((_, i) => this.boxes.get(parts.slice(0, i + 1).join('.')));
    const { x, w } = around.find((box) => box && box.w * LEGIBLE <= width - 2 * EDGE) ?? around.at(-1);
    return { x, w };
  }

  frame({ x, y, w, h }) {
    // Scroll a block that was opened into view, and zoom out if it does not fit.
    const { width, height } = this.canvas.getBoundingClientRect();
    const { at } = this;
    const k = Math.min(at.k, (width - 2 * EDGE) / w, (height - 2 * EDGE) / h);
    const into = (low, size, room) => Math.max(EDGE, Math.min(low, room - EDGE - size));
    const left = into(at.x + x * at.k + (w * (at.k - k)) / 2, w * k, width);
    const top = into(at.y + y * at.k, h * k, height);
    this.look(left - x * k, top - y * k, k);
  }

  start() {
    // Show the whole picture if it is readable; else its full width from the top; else, if even that
    // is too small, its input.
    const { width, height, w, h } = this.size();
    const wide = Math.min(1, width / w);
    const whole = Math.min(wide, height / h);
    const k = whole >= READABLE ? whole : wide >= LEGIBLE ? wide : READABLE;
    const [first] = this.boxes.values(); // the input
    const x = w * k <= width ? (width - w * k) / 2
      : Math.max(width - w * k, Math.min(0, width / 2 - middle(first) * k));
    this.look(x, Math.max(0, (height - h * k) / 2), k);
    this.expose(this.nearest(this.data.selected));
    this.moved = false;
  }

  expose(node) {
    // Scroll the page to the selected node if it is below the window or under an overlay.
    if (!node) return;
    if (node.querySelector('.face').getBoundingClientRect().bottom > this.lowest())
      this.host.scrollIntoView({ block: 'start' });
    this.bring(node);
  }

  lowest() {
    // The lower edge of the visible window; --covered is the height that an overlay may cover.
    const covered = parseFloat(getComputedStyle(this.canvas).scrollPaddingBottom) || 0;
    return window.innerHeight - covered;
  }

  clear() {
    // The visible part of the canvas; all of it if that is too small.
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

  // Input events.

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
    this.mark(); // immediately; a block opens when its picture arrives
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
      // The canvas does not scroll, so move the picture to the node that has the focus.
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
