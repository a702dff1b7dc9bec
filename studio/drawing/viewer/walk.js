// Where an arrow key leads from a node: down to what it feeds, up to what feeds it, left and right
// to the other branches of the split or the merge that it is part of.

export class Walk {
  constructor(svg, places) {
    this.places = places; // of all nodes, in the order of the data flow
    this.to = new Map([...places.keys()].map((id) => [id, []]));
    this.from = new Map([...places.keys()].map((id) => [id, []]));
    for (const { dataset } of svg.querySelectorAll('.node[data-to]')) {
      for (const id of dataset.to.split(' ').filter((to) => places.has(to))) {
        this.to.get(dataset.id).push(id);
        this.from.get(id).push(dataset.id);
      }
    }
  }

  // The id of the node that the key leads to, if it leads anywhere.
  step(id, key) {
    if (!this.places.has(id)) return undefined;
    if (key === 'ArrowDown') return this.next(id);
    if (key === 'ArrowUp') return this.before(id);
    const row = this.branches(id);
    return row[row.indexOf(id) + (key === 'ArrowRight' ? 1 : -1)];
  }

  next(id) {
    return this.to.get(id).length ? this.sorted(this.to.get(id))[0] : this.within(id)[0];
  }

  before(id) {
    const inner = new Set(this.within(id));
    const outer = [id, ...inner].flatMap((one) => this.from.get(one)).filter((one) => !inner.has(one));
    const { y: top } = this.places.get(id);
    const above = outer.map((one) => [one, this.places.get(one)])
      .filter(([, { y, h }]) => y + h <= top).map(([one]) => one);
    return this.sorted(above.length ? above : outer).at(-1); // what stands beside it joins the flow
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

  // From the top of the picture down: the first is the nearest of those below a node.
  sorted(ids) {
    const at = (one) => this.places.get(one);
    return [...ids].sort((a, b) => at(a).y - at(b).y || middle(at(a)) - middle(at(b)));
  }

  // What stands in an open block.
  within(id) {
    const { x, y, w, h } = this.places.get(id);
    const inside = (o) => o.x > x && o.y > y && o.x + o.w < x + w && o.y + o.h < y + h;
    return [...this.places].filter(([, other]) => inside(other)).map(([one]) => one);
  }
}
