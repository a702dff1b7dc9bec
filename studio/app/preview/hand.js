// The hand on a slider, as the knob panels tell of it: `studio:knob-input` while it moves, and
// `studio:knob-end` when it lets go, with the panel's name and the serial number of the move (0 if
// nothing was moved). Until the server has applied that move, the browser is ahead of it.

const PATIENCE_MS = 15000; // after which a move counts as lost

class Hand {
  constructor(host, hooks) {
    // `hooks` are functions by event: input, end, landing, hover, leave, table.
    this.moving = false;
    this.released = null;
    const left = new AbortController();
    const listen = (event, act) => document.addEventListener(`studio:${event}`, ({ detail }) => {
      if (host.isConnected) act(detail);
      else left.abort();
    }, { signal: left.signal });
    listen('knob-input', (detail) => {
      this.moving = true;
      hooks.input?.(detail);
    });
    listen('knob-end', (detail) => {
      this.moving = false;
      this.released = detail.serial ? { ...detail, at: performance.now() } : null;
      hooks.end?.(detail);
    });
    listen('landing', (detail) => hooks.landing?.(detail));
    listen('knob-hover', (detail) => hooks.hover?.(detail));
    listen('knob-leave', (detail) => hooks.leave?.(detail));
  }

  isAhead(applied) {
    // Whether the browser is ahead of a server that has applied these moves, by panel.
    const { panel, serial, at } = this.released ?? {};
    if (panel && ((applied[panel] ?? 0) >= serial || performance.now() - at > PATIENCE_MS)) {
      this.released = null;
    }
    return this.moving || Boolean(this.released);
  }
}
