// Pointer input: drag, pinch, wheel. A vertical swipe with one finger scrolls the page.

const STILL = 4; // pixels that the pointer may move during a click

// Calls view.drag(dx, dy), view.zoom(factor, x, y), and view.tap(target, event) for a click.
export function hold(canvas, view) {
  const fingers = new Map();
  let start = null;
  let moved = false;

  const grip = () => {
    const [a, b = a] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  const point = ({ clientX, clientY }) => {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  };
  const release = ({ pointerId }) => {
    fingers.delete(pointerId);
    if (!fingers.size) canvas.classList.remove('dragged');
  };

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    if (!fingers.size) [start, moved] = [point(event), false];
    fingers.set(event.pointerId, point(event));
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!(event.buttons & 1)) release(event); // released outside the canvas
    if (!fingers.has(event.pointerId)) return;
    const here = point(event);
    if (!moved && Math.hypot(here.x - start.x, here.y - start.y) < STILL) return;
    if (!moved) canvas.setPointerCapture(event.pointerId);
    moved = true;
    canvas.classList.add('dragged');
    const before = grip();
    fingers.set(event.pointerId, here);
    const now = grip();
    view.drag(now.x - before.x, now.y - before.y);
    if (before.spread && now.spread) view.zoom(now.spread / before.spread, now.x, now.y);
  });
  canvas.addEventListener('pointerup', release);
  canvas.addEventListener('pointercancel', release); // the page scrolls
  canvas.addEventListener('click', (event) => {
    if (!moved || event.detail === 0) view.tap(event);
  });
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    const { x, y } = point(event);
    view.zoom(Math.exp(-event.deltaY / 300), x, y);
  }, { passive: false });
}
