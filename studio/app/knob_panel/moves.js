// The moves of a panel that the server has not acknowledged yet.
//
// Each has a serial number, and all of them are sent each time: what was lost comes with the next
// message, and the server applies a move once, however often it is sent. `panel` is a name of its
// own for each panel that a browser draws, since the numbers begin again.

const PAUSE_MS = 120; // between two messages, while a key is held

class Moves {
  constructor() {
    this.panel = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.serial = 0;
    this.waiting = [];
    this.sentAt = -Infinity;
    this.send = () => {};
  }

  add(row, value) {
    if (this.waiting.at(-1)?.row === row) this.waiting.pop(); // only where it ends counts
    this.serial += 1;
    this.waiting.push({ serial: this.serial, row, value });
    this.flush();
    return this.serial;
  }

  flush() {
    clearTimeout(this.timer);
    const pause = this.sentAt + PAUSE_MS - performance.now();
    if (pause > 0) {
      this.timer = setTimeout(() => this.flush(), pause);
      return;
    }
    this.sentAt = performance.now();
    this.send({ panel: this.panel, moves: [...this.waiting] });
  }

  acknowledge(applied) {
    const last = applied[this.panel] ?? 0;
    this.waiting = this.waiting.filter((move) => move.serial > last);
  }

  isWaiting(row) {
    return this.waiting.some((one) => one.row === row);
  }

  valueOf(row, otherwise) {
    // The value that the browser shows, which may be ahead of the server's.
    const move = this.waiting.findLast((one) => one.row === row);
    return move ? move.value : otherwise;
  }
}
