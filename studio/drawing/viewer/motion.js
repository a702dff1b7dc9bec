// The transition to a new picture: boxes that stay move, new boxes and edges fade in, removed ones
// fade out. The new picture is complete at once; only its appearance is animated.

const GLIDE_MS = 180;
const BUSIEST = 160; // visible boxes, above which there is no animation
const GLIDE = { duration: GLIDE_MS, easing: 'ease-out' };
const FADE = { duration: GLIDE_MS, easing: 'ease-in' };

export const middle = ({ x, w }) => x + w / 2;

// The box of a node, in pixels of the picture.
export function box(node) {
  const face = node?.querySelector('.face');
  if (!face) return null;
  const [x, y, w, h] = ['x', 'y', 'width', 'height'].map((name) => +face.getAttribute(name));
  return { x, y, w, h };
}

export function boxes(svg) {
  return new Map([...svg.querySelectorAll('.node')].map((node) => [node.dataset.id, box(node)]));
}

// `before` and `now` describe a picture on a canvas of size `room`: its corner and scale `at`, its `boxes`;
// `before.gone` holds the removed nodes, `now.svg` the current SVG element.
export function grow(before, now, room) {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches || document.hidden) return;
  const [was, is] = [before, now].map((one) => inSight(one, room));
  if (Math.max(was.size, is.size) > BUSIEST) return;
  const gone = [...was].filter(([id]) => !now.boxes.has(id));
  const nodes = new Map([...now.svg.querySelectorAll('.node')].map((n) => [n.dataset.id, n]));
  let changed = gone.length > 0;
  for (const [id, place] of now.boxes) {
    if (!is.has(id) && !was.has(id)) continue;
    const old = before.boxes.get(id);
    if (old) changed = glide(nodes.get(id), seenAs(old, before.at, now.at), place) || changed;
    else changed = Boolean(nodes.get(id).animate({ opacity: [0, 1] }, FADE));
  }
  if (!changed) return;
  for (const wires of now.svg.querySelectorAll('.edges, .labels'))
    wires.animate({ opacity: [0, 1] }, FADE);
  leave(before, now, gone.map(([id]) => id));
}

function inSight({ at, boxes: all }, { width, height }) {
  return new Map([...all].filter(([, { x, y, w, h }]) => {
    const [left, top] = [at.x + x * at.k, at.y + y * at.k];
    return left < width && top < height && left + w * at.k > 0 && top + h * at.k > 0;
  }));
}

// Where an old box was on the canvas, in pixels of the new picture.
function seenAs({ x, y, w, h }, then, now) {
  const k = then.k / now.k;
  return { x: (then.x - now.x) / now.k + x * k, y: (then.y - now.y) / now.k + y * k, w: w * k, h: h * k };
}

function glide(node, old, { x, y, w, h }) {
  const moved = Math.hypot(old.x - x, old.y - y) > 0.5;
  const grown = Math.hypot(old.w - w, old.h - h) > 0.5;
  if (moved) {
    const from = `translate(${old.x - x}px, ${old.y - y}px)`;
    node.animate({ transform: [from, 'translate(0, 0)'] }, GLIDE);
  }
  if (grown) {
    const scaled = (a, b) => `translate(${x}px, ${y}px) scale(${a}, ${b}) translate(${-x}px, ${-y}px)`;
    const from = scaled(old.w / w, old.h / h);
    node.querySelector('.face').animate({ transform: [from, scaled(1, 1)] }, GLIDE);
  }
  return moved || grown;
}

// Removed boxes stay in the picture, invisible, after they have faded out.
function leave(before, now, ids) {
  const rest = document.createElementNS('http://www.w3.org/2000/svg', 'g');
  const { x, y, w: k } = seenAs({ x: 0, y: 0, w: 1, h: 1 }, before.at, now.at);
  rest.setAttribute('class', 'gone');
  rest.setAttribute('aria-hidden', 'true');
  rest.setAttribute('transform', `translate(${x} ${y}) scale(${k})`);
  for (const id of ids) {
    const face = before.gone.get(id)?.querySelector('.face');
    if (face) rest.append(face);
  }
  now.svg.append(rest);
  rest.animate({ opacity: [1, 0], visibility: ['visible', 'hidden'] }, GLIDE);
}
