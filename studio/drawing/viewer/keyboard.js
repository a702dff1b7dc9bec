// Keyboard navigation: down to the first node that a node feeds, up to the last one that feeds it;
// left and right along a horizontal edge, else to the sibling branches of its split or merge.

export class Walk {
  constructor(svg, places) {
    this.places = places; // boxes by node id, in the order of the data flow
    this.to = new Map([...places.keys()].map((id) => [id, []]));
    this.from = new Map([...places.keys()].map((id) => [id, []]));
    for (const { dataset } of svg.querySelectorAll('.node[data-to]')) {
      for (const id of dataset.to.split(' ').filter((to) => places.has(to))) {
        this.to.get(dataset.id).push(id);
        this.from.get(id).push(dataset.id);
      }
    }
  }

  // The id of the node that a key leads to, or undefined.
  step(id, key) {
    if (!this.places.has(id)) return undefined;
    if (key === 'ArrowDown') return this.next(id);
    if (key === 'ArrowUp') return this.before(id);
    const side = key === 'ArrowRight' ? 1 : -1;
    const row = this.branches(id);
    return this.beside(id, side) ?? row[row.indexOf(id) + side];
  }

  next(id) {
    return this.to.get(id).length ? this.sorted(this.to.get(id))[0] : this.within(id)[0];
  }

  before(id) {
    const inner = new Set(this.within(id));
    const outer = [id, ...inner].flatMap((one) => this.from.get(one)).filter((one) => !inner.has(one));
    const fed = outer.filter((one) => this.from.get(one).length); // not parameters
    return this.sorted(fed.length ? fed : outer).at(-1);
  }

  // The other end of a straight edge to the right (1) or to the left (-1).
  beside(id, side) {
    const here = this.places.get(id);
    const far = (one) => side * (middle(this.places.get(one)) - middle(here));
    const level = ({ y, h }) => Math.abs(y + h / 2 - here.y - here.h / 2) < Math.min(h, here.h) / 2;
    return [...this.to.get(id), ...this.from.get(id)]
      .filter((one) => level(this.places.get(one)) && far(one) > 0)
      .sort((a, b) => far(a) - far(b))[0];
  }

  branches(id) {
    const shared = [
      ...this.from.get(id).flatMap((one) => this.to.get(one)),
      ...this.to.get(id).flatMap((one) => this.from.get(one)),
    ];
    const at = (one) => this.places.get(one);
    const across = (a, b) => Math.round(middle(at(a)) - middle(at(b))) || at(a).y - at(b).y;
    return [...new Set([id, ...shared])].sort(across);
  }

  sorted(ids) {
    const order = [...this.places.keys()];
    return [...ids].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  }

  // The nodes inside an open block.
  within(id) {
    const { x, y, w, h } = this.places.get(id);
    const inside = (o) => o.x > x && o.y > y && o.x + o.w < x + w && o.y + o.h < y + h;
    return [...this.places].filter(([, other]) => inside(other)).map(([one]) => one);
  }
}
