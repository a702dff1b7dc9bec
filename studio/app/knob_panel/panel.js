// The knob panel: sections of controls. `data` is
//   sections  [{ title, folded, rows }], as studio/app/knob_panel/rows.py writes them
//   applied   the serial number of the last move that the server has applied, by panel
// The panel reports its moves as the state `moves`. It tells whoever listens of the hand on it, by
// events of the document with { row, name, value }: `studio:knob-hover` and `studio:knob-leave`,
// `studio:knob-input` while a slider moves, and `studio:knob-end` with { panel, serial } of its move.
// It is told what is known of a slider's values by `studio:table`, and by `studio:landing` where a move
// to the value under the hand will end, as studio/app/preview/value_table.js writes them.

export default function ({ data, parentElement, setStateValue }) {
  const host = parentElement.querySelector('.knobs');
  host.panel ??= new Panel(host);
  host.panel.show(data, setStateValue);
}

class Panel {
  constructor(host) {
    this.host = host;
    this.moves = new Moves();
    this.sections = new Map();
    onDocument(host, 'studio:table', (table) => this.each((slider) => slider.reach.learn(table)));
    onDocument(host, 'studio:landing', ({ row, landing }) => {
      this.each((slider) => { if (slider.id === row) slider.land(landing); });
    });
  }

  each(act) {
    // Of the sliders.
    for (const { rows } of this.sections.values()) {
      rows.each((control) => { if (control.reach) act(control); });
    }
  }

  show({ sections, applied }, setStateValue) {
    this.moves.send = (report) => setStateValue('moves', report);
    this.moves.acknowledge(applied);
    const before = this.sections;
    this.sections = new Map(
      sections.map((one) => [one.title, before.get(one.title) ?? new Section(one, this.moves)]),
    );
    arrange(this.host, [...this.sections.values()].map((section) => section.element));
    for (const one of sections) this.sections.get(one.title).rows.update(one.rows);
  }
}

class Section {
  constructor({ title, folded }, moves) {
    const inner = make('div', { className: 'rows' });
    this.rows = new Rows(inner, moves);
    if (folded) this.element = make('details', {}, make('summary', {}, title), inner);
    else if (title) this.element = make('section', {}, make('h3', {}, title), inner);
    else this.element = make('section', {}, inner);
  }
}
