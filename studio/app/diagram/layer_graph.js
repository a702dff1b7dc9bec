// The layer graph on the page. `data` is that of a View (studio/drawing/viewer/graph.js), and
//   applied  the serial number of the last applied move, by knob panel
// While a slider is moved, boxes show the texts of a landing, where only these change.

export default function ({ data, parentElement, setTriggerValue }) {
  // Keeps the scroll position when it is called again with a new picture.
  const host = parentElement.querySelector('.graph');
  host.view ??= new View(host);
  host.texts ??= new BoxTexts(host);
  host.texts.show(data);
  host.view.show(data, setTriggerValue);
}

class BoxTexts {
  constructor(host) {
    this.host = host;
    this.own = new Map(); // the texts of the picture, by their elements
    this.hand = new Hand(host, {
      landing: ({ landing }) => this.land(landing?.boxes ?? []),
      end: () => this.settle(),
    });
  }

  show({ applied }) {
    this.applied = applied;
    this.settle();
  }

  settle() {
    if (!this.hand.isAhead(this.applied)) this.restore();
  }

  restore() {
    for (const [element, text] of this.own) element.textContent = text;
    this.own.clear();
  }

  land(boxes) {
    this.restore();
    for (const [id, texts] of boxes) {
      const found = this.host.querySelectorAll(`.node[data-id="${CSS.escape(id)}"] > text`);
      if (found.length === texts.length) found.forEach((element, i) => this.write(element, texts[i]));
    }
  }

  write(element, text) {
    this.own.set(element, element.textContent);
    element.textContent = text;
  }
}
