// What a slider knows of its values from their table: the parts of its track that cannot be reached
// are grey, and say why. Where a move to the value under the hand would end is marked on the track.

const NARROW = '(max-width: 768px)'; // where the panel lies over the cards, and tells the figures too
const DOT_PX = 3; // a single reachable value is at least as wide

class Reach {
  constructor(control) {
    this.control = control;
    this.range = control.range;
    this.landings = new Map();
    this.goal = make('span', { className: 'goal', hidden: true });
    this.why = make('p', { className: 'why' });
    this.element = make('div', { className: 'reach', 'aria-hidden': 'true' }, this.goal, this.why);
    this.range.addEventListener('pointermove', ({ offsetX }) => {
      this.pointer = offsetX;
      this.explain();
    });
  }

  learn({ row, landings, complete }) {
    const isMine = row === this.control.id;
    if (!isMine && !this.landings.size) return;
    // Under the hand, what was known stays until the table of the changed page is whole: else the
    // grey parts flicker with each move.
    const isKept = (isMine || !row) && !complete && this.control.element.matches(':hover, :focus-within');
    const found = isMine ? landings.map((one) => [one.value, one]) : [];
    this.landings = new Map([...(isKept ? this.landings : []), ...found]);
    this.draw();
    this.explain();
  }

  isReached(value) {
    const { landed, figures } = this.landings.get(value) ?? {};
    return landed === undefined || (landed === value && figures.length > 0);
  }

  spoken(value) {
    return this.isReached(value) ? shortest(value) : `${shortest(value)}, cannot be reached`;
  }

  explain() {
    // As the tooltip of the place under the pointer.
    const thumb = parseFloat(getComputedStyle(this.range).getPropertyValue('--thumb'));
    const share = (this.pointer - thumb / 2) / (this.range.clientWidth - thumb);
    this.range.title = this.landings.get(this.control.valueAt(share))?.note ?? '';
  }

  land(landing) {
    const { value, landed = value, note = '', figures = [] } = landing ?? {};
    const hidden = matchMedia(NARROW).matches ? figures.map(([text]) => text).join(' · ') : '';
    put(this.why, [note && `→ ${note}`, hidden].filter(Boolean).join('\n'));
    this.goal.hidden = landed === value;
    if (landed !== value) this.goal.style.setProperty('--at', this.share(landed));
  }

  clear() {
    this.land(null);
  }

  share(value) {
    return this.control.share(this.control.position(value));
  }

  draw() {
    const gaps = this.gaps().map(([from, to]) => {
      const [start, end] = [this.edge(from, 1), this.edge(to, -1)];
      return `transparent ${start}, var(--gap) ${start} ${end}, transparent ${end}`;
    });
    if (gaps.length) this.range.style.setProperty('--gaps', `linear-gradient(to right, ${gaps})`);
    else this.range.style.removeProperty('--gaps');
  }

  gaps() {
    // The values on either side of each run of values that cannot be reached, as shares of the track.
    const step = this.control.stepShare;
    const runs = [];
    for (const value of [...this.landings.keys()].sort((a, b) => a - b)) {
      if (this.isReached(value)) continue;
      const at = this.share(value);
      if (runs.length && Math.abs(runs.at(-1)[1] - at) < step / 2) runs.at(-1)[1] = at + step;
      else runs.push([at - step, at + step]);
    }
    return runs;
  }

  edge(share, side) {
    // Half a step inside of a gap, as a place on the track in CSS.
    const half = `max(${DOT_PX / 2}px, ${this.control.stepShare / 2} * (100% - var(--thumb)))`;
    return `calc(var(--thumb) / 2 + (100% - var(--thumb)) * ${share} + ${side} * ${half})`;
  }
}
