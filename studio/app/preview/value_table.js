// The values of the slider under the pointer. `data` is
//   row       the slider that was asked for, or '' if this answers no question
//   landings  [{ value, landed, note, figures, latency, marks }], by rising values
//   complete  whether all values near the hand are there
//   answers   the number of the question that this answers
//   page      a name of the figures on the page, by which landings are told apart from older ones
//   applied   the serial number of the last applied move, by panel
// A slider that is hovered or focused is asked for, as the state `want`; while its table is not
// complete, again with each answer. Each move of the hand is answered by `studio:landing`.

const DWELL_MS = 60; // of a pointer on a slider, before its values are asked for
const LOST_MS = 5000; // after which a question counts as lost, as one to a view that was just left

export default function ({ data, parentElement, setStateValue }) {
  const host = parentElement.querySelector('.values');
  host.table ??= new ValueTable(host);
  host.table.show(data, setStateValue);
}

class ValueTable {
  constructor(host) {
    this.host = host;
    this.charts = new ChartMarks();
    this.number = Date.now(); // of questions, so that no earlier page's answer fits
    this.asked = 0;
    this.want = null; // { row, at } while the pointer or the focus is there
    this.row = ''; // whose landings are known
    this.landings = new Map();
    this.hand = new Hand(host, {
      hover: ({ row, value }) => this.look(row, value),
      leave: ({ row }) => { if (this.want?.row === row && !this.hand.moving) this.leave(); },
      input: ({ row, value }) => this.follow(row, value),
      end: ({ serial }) => { if (!serial) this.charts.clear(); },
    });
  }

  show(data, setStateValue) {
    this.send = (want) => setStateValue('want', want);
    if (data.page !== this.page) {
      this.keep({ row: '', landings: [], complete: false });
      if (this.hand.moving) this.late = this.want?.at; // it is somewhere else on this page
    }
    this.page = data.page;
    if (data.row) this.keep(data);
    if (!this.hand.isAhead(data.applied)) this.charts.clear();
    else if (this.late !== undefined) this.land(this.late);
    if (data.answers >= this.asked) this.asked = 0;
    if (this.want && (this.row !== this.want.row || !this.complete)) this.ask();
  }

  keep({ row, landings, complete }) {
    Object.assign(this, { row, complete });
    this.landings = new Map(landings.map((one) => [one.value, one]));
    this.tell('studio:table', { row, landings, complete });
  }

  look(row, at) {
    clearTimeout(this.timer);
    if (!Number.isFinite(at)) return;
    this.timer = setTimeout(() => {
      this.want = { row, at };
      this.ask();
    }, DWELL_MS);
  }

  leave() {
    clearTimeout(this.timer);
    this.want = null;
  }

  follow(row, value) {
    clearTimeout(this.timer);
    this.want = { row, at: value };
    if (this.row !== row) this.landings.clear();
    this.land(value);
    if (this.row !== row || !this.complete || !this.landings.has(value)) this.ask();
  }

  land(value) {
    const landing = this.landings.get(value) ?? null;
    this.late = landing ? undefined : value;
    this.charts.show(landing?.marks);
    this.tell('studio:landing', { row: this.want?.row, value, landing });
  }

  ask() {
    if (this.asked && performance.now() - this.askedAt < LOST_MS) return; // the answer asks again
    this.askedAt = performance.now();
    this.number += 1;
    this.asked = this.number;
    this.send({ ...this.want, number: this.number });
  }

  tell(type, detail) {
    document.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
