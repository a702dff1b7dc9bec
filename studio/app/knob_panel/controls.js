// The controls of a panel: one class for each kind of row, upon native elements, so that keyboard,
// touch and screen readers work. `update(row)` shows what Python says; what is under the hand, or
// not acknowledged yet, keeps the browser's value.

const DIGITS = 10; // of a value, as in tracks.py

class Control {
  constructor(row, moves) {
    this.id = row.id;
    this.moves = moves;
    this.held = false; // under the hand
    this.element = make('div', { className: `row ${row.kind}` });
    this.element.dataset.knob = row.id;
    this.words = make('span', { className: 'words' });
    this.symbol = make('i');
    this.name = make('code');
    this.note = make('p', { className: 'note', 'aria-live': 'polite' });
    this.build(row);
    this.element.append(this.note);
    for (const near of ['pointerenter', 'focusin']) this.listen(near, () => this.tell('knob-hover'));
    for (const far of ['pointerleave', 'focusout']) this.listen(far, () => this.tell('knob-leave'));
  }

  listen(event, act) {
    // Only to what happens on this row, not on rows within it.
    this.element.addEventListener(event, (given) => {
      if (given.target.closest('.row') === this.element) act();
    });
  }

  get inputId() {
    return `knob-${this.id}`;
  }

  label(tag = 'label') {
    const rules = tag === 'label' ? { htmlFor: this.inputId } : { id: `${this.inputId}-label` };
    return make(tag, { className: 'label', ...rules }, this.words, ' ', this.symbol, ' ', this.name);
  }

  update(row) {
    this.row = row;
    put(this.words, row.words);
    put(this.symbol, row.symbol ?? '');
    put(this.name, row.name ?? '');
    put(this.note, row.note ? `→ ${row.note}` : '');
    this.fit(row);
    this.settle();
  }

  settle() {
    if (!this.held) this.show(this.moves.valueOf(this.id, this.row.value));
  }

  move(value) {
    this.moves.add(this.id, value);
    this.settle();
  }

  tell(event, given = {}) {
    // For whoever wants to follow the hand; the panel itself does not need it.
    const value = this.moves.valueOf(this.id, this.row?.value);
    const detail = { row: this.id, name: this.row?.name, value, ...given };
    document.dispatchEvent(new CustomEvent(`studio:${event}`, { detail }));
  }

  get text() {
    return [this.row.words, this.row.symbol, this.row.name].filter(Boolean).join(' ');
  }

  get about() {
    // What the label leaves out of the help.
    const { words, symbol, about = '' } = this.row;
    return about === [words, symbol].filter(Boolean).join(' ') ? '' : about;
  }

  describe(input, text) {
    this.element.querySelector('.label').title = text;
    if (text) input.setAttribute('aria-description', text);
    else input.removeAttribute('aria-description');
  }
}

class NumberControl extends Control {
  // A number to type in.

  build() {
    this.number = make('input', { type: 'number', inputMode: 'decimal', autocomplete: 'off' });
    this.number.addEventListener('input', () => { this.held = true; });
    this.number.addEventListener('change', () => this.typed());
    this.number.addEventListener('blur', () => this.release());
    this.number.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.release();
    });
    this.element.append(make('div', { className: 'head' }, this.label(), this.number));
    this.main.id = this.inputId;
  }

  get main() {
    return this.number; // the input that the label belongs to
  }

  typed() {
    this.held = false;
    const value = this.number.valueAsNumber;
    if (Number.isFinite(value)) this.move(value);
    else this.settle();
  }

  release() {
    this.held = false;
    this.settle();
  }

  fit({ track }) {
    Object.assign(this.number, { min: track.low, max: track.high, step: track.step });
    const reach = `${shortest(track.low)} to ${shortest(track.high)}`;
    this.describe(this.main, [this.about, reach].filter(Boolean).join(' · '));
  }

  show(value) {
    const text = shortest(value);
    if (this.number.value !== text) this.number.value = text;
  }
}

class RangeControl extends NumberControl {
  // A slider, and its value to type in.

  build(row) {
    this.range = make('input', { type: 'range' });
    this.marks = make('div', { className: 'marks', 'aria-hidden': 'true' });
    super.build(row);
    this.reach = new Reach(this);
    this.element.append(make('div', { className: 'track' }, this.range, this.marks, this.reach.element));
    this.range.addEventListener('pointerdown', () => { this.held = true; });
    for (const end of ['pointerup', 'pointercancel', 'blur']) {
      this.range.addEventListener(end, () => setTimeout(() => this.letGo())); // after `change`
    }
    this.range.addEventListener('input', () => {
      this.moving = true;
      this.follow(this.value);
      this.tell('knob-input', { value: this.value });
    });
    this.range.addEventListener('change', () => {
      this.moving = false;
      const serial = this.moves.add(this.id, this.value);
      this.tell('knob-end', { panel: this.moves.panel, serial });
    });
  }

  letGo() {
    if (this.moving) this.tell('knob-end', { serial: 0 }); // where it was picked up: nothing moved
    this.moving = false;
    this.release();
  }

  get main() {
    return this.range;
  }

  get value() {
    const at = this.range.valueAsNumber;
    return this.values ? this.values[at] : at;
  }

  fit(row) {
    super.fit(row);
    this.number.setAttribute('aria-label', `${this.text}, as a number`);
    const { low, high, step, values } = row.track;
    this.values = values.length ? values : null;
    const ends = this.values ? { min: 0, max: values.length - 1, step: 1 } : { min: low, max: high, step };
    for (const [name, value] of Object.entries(ends)) {
      if (this.range[name] !== String(value)) this.range[name] = value;
    }
    this.marks.replaceChildren(...(row.marks ?? []).map((mark) => this.tick(mark)));
    this.reach.draw();
  }

  tick({ value, owner }) {
    const tick = make('span', { title: `${owner}: ${shortest(value)}` });
    tick.style.setProperty('--at', this.share(this.position(value)));
    return tick;
  }

  position(value) {
    if (!this.values) return value;
    const near = this.values.map((one) => Math.abs(one - value));
    return near.indexOf(Math.min(...near));
  }

  share(position) {
    const { min, max } = this.range;
    return Math.min(Math.max((position - min) / (max - min || 1), 0), 1);
  }

  get stepShare() {
    const { min, max, step } = this.range;
    return step / (max - min || 1);
  }

  valueAt(share) {
    // The value at this share of the track.
    const { min, max, step } = this.range;
    const steps = Math.round(Math.min(Math.max(share, 0), 1) * (max - min) / step);
    const position = Number((Number(min) + steps * step).toFixed(DIGITS));
    return this.values ? this.values[position] : position;
  }

  show(value) {
    super.show(value);
    this.range.value = this.position(value);
    this.follow(value);
    if (!this.isAhead) this.reach.clear();
  }

  get isAhead() {
    // Whether the browser shows a value that the server has not applied yet.
    return this.moving || this.moves.isWaiting(this.id);
  }

  land(landing) {
    if (this.isAhead) this.reach.land(landing);
  }

  follow(value) {
    // What else the slider moves.
    super.show(value);
    this.range.style.setProperty('--at', this.share(this.range.valueAsNumber));
    this.range.setAttribute('aria-valuetext', this.reach.spoken(value));
  }
}

class ToggleControl extends Control {
  build() {
    this.input = make('input', { type: 'checkbox', id: this.inputId, role: 'switch' });
    this.input.addEventListener('change', () => this.move(this.input.checked));
    this.element.append(make('div', { className: 'head' }, this.label(), this.input));
  }

  fit() {
    this.describe(this.input, this.about);
  }

  show(value) {
    this.input.checked = value;
  }
}

class ListControl extends Control {
  build() {
    this.select = make('select', { id: this.inputId });
    this.select.addEventListener('change', () => {
      this.move(this.row.options[this.select.selectedIndex][0]);
    });
    this.element.append(this.label(), this.select);
  }

  fit({ options }) {
    this.describe(this.select, this.about);
    const texts = options.map(([, text]) => text);
    if (JSON.stringify(texts) === this.shown) return;
    this.shown = JSON.stringify(texts);
    this.select.replaceChildren(...texts.map((text) => make('option', {}, text)));
  }

  show(value) {
    this.select.selectedIndex = this.row.options.findIndex(([one]) => one === value);
  }
}

class ChoiceControl extends Control {
  // A few options side by side.

  build() {
    const rules = { role: 'radiogroup', 'aria-labelledby': `${this.inputId}-label` };
    this.choices = make('div', { className: 'choices', ...rules });
    this.element.append(this.label('div'), this.choices);
  }

  fit({ options }) {
    this.describe(this.choices, this.about);
    if (JSON.stringify(options) === this.shown) return;
    this.shown = JSON.stringify(options);
    this.radios = options.map(([value], i) => {
      const radio = make('input', { type: 'radio', name: this.inputId, value: i });
      radio.addEventListener('change', () => this.move(value));
      return radio;
    });
    const faces = options.map(([, text], i) => make('label', {}, this.radios[i], make('span', {}, text)));
    this.choices.replaceChildren(...faces);
  }

  show(value) {
    this.radios.forEach((radio, i) => { radio.checked = this.row.options[i][0] === value; });
  }
}

class GroupControl extends Control {
  // The entries of a tuple, with their number if that may vary.

  build() {
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-labelledby', `${this.inputId}-label`);
    this.entries = new Rows(make('div', { className: 'entries' }), this.moves);
    this.element.append(this.label('div'), this.entries.element);
  }

  fit({ rows }) {
    this.describe(this.element, this.about);
    this.entries.update(rows);
  }

  show() {}
}

const CONTROLS = {
  range: RangeControl,
  number: NumberControl,
  choice: ChoiceControl,
  list: ListControl,
  toggle: ToggleControl,
  group: GroupControl,
};

class Rows {
  // The controls of some rows, one below the other. A row that stays keeps its elements.

  constructor(element, moves) {
    this.element = element;
    this.moves = moves;
    this.controls = new Map();
  }

  update(rows) {
    const before = this.controls;
    this.controls = new Map(rows.map((row) => [row.id, this.control(before.get(row.id), row)]));
    arrange(this.element, [...this.controls.values()].map((control) => control.element));
    for (const row of rows) this.controls.get(row.id).update(row);
  }

  each(act) {
    for (const control of this.controls.values()) {
      act(control);
      control.entries?.each(act);
    }
  }

  control(before, row) {
    return before?.row.kind === row.kind ? before : new CONTROLS[row.kind](row, this.moves);
  }
}
