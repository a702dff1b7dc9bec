// Cards of figures. `data` is
//   html     the cards, as the server says them
//   part     which texts of a landing they show: 'figures' or 'latency'
//   applied  the serial number of the last applied move, by panel
// While a slider is moved they show the landing at its value. Where that is not known yet, they are
// marked as late and keep what they show.

export default function ({ data, parentElement }) {
  const host = parentElement.querySelector('.figure-cards');
  host.cards ??= new Cards(host);
  host.cards.show(data);
}

class Cards {
  constructor(host) {
    this.host = host;
    this.hand = new Hand(host, { landing: ({ landing }) => this.land(landing), end: () => this.settle() });
  }

  show(data) {
    this.data = data;
    this.settle();
  }

  settle() {
    if (this.hand.isAhead(this.data.applied)) return;
    this.host.classList.remove('late');
    this.restore();
  }

  restore() {
    if (this.data.html === this.shown) return;
    this.host.innerHTML = this.data.html;
    this.shown = this.data.html;
  }

  land(landing) {
    const texts = landing?.[this.data.part];
    this.host.classList.toggle('late', !texts?.length);
    if (landing && !texts?.length) this.restore(); // a refused value has no figures
    if (!texts?.length) return;
    this.shown = null;
    const figures = this.host.querySelectorAll('.figure b');
    texts.forEach(([value, notes], i) => figures[i] && this.write(figures[i], value, notes.join('')));
  }

  write(figure, value, notes) {
    if (figure.textContent !== value) figure.textContent = value;
    while (figure.nextSibling) figure.nextSibling.remove();
    figure.insertAdjacentHTML('afterend', notes);
  }
}
