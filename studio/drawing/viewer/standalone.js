// The script of an exported HTML file. The View, above in the same module, shows the graph; this part
// does what the page does in the app. The file contains a finished picture of each expansion level.

const $ = (selector) => document.querySelector(selector);
const file = JSON.parse($('#file').textContent);
const host = $('.graph');
// The first picture and its table rows are in the HTML, so that they show without scripts.
file.pictures[file.first].svg = host.querySelector('.canvas').innerHTML;
file.pictures[file.first].rows = $('tbody').innerHTML;
const view = new View(host);
const now = { picture: file.first, listed: file.first, selected: '' };

function show() {
  const { svg, rows, open, level } = file.pictures[now.picture];
  const levels = Math.max(...file.pictures.map((picture) => picture.level));
  const height = Math.max(380, window.innerHeight - $('header').offsetHeight - 60);
  const options = { highlighted: '', scroll_to: '', more: file.more, name: file.name };
  view.show({ svg, open, level, levels, height, selected: now.selected, ...options }, sent);
  if (now.picture !== now.listed) $('tbody').innerHTML = rows; // replacing equal rows would lose the focus
  now.listed = now.picture;
  for (const row of $('tbody').rows) row.classList.toggle('selected', row.dataset.id === now.selected);
  $('#first').hidden = file.pictures[file.first].level >= 0;
  $('#first').setAttribute('aria-pressed', now.picture === file.first);
}

function sent(_, { open, level, selected }) {
  now.picture = open ? nearest(open) : file.pictures.findIndex((one) => one.level === level);
  select(selected);
}

function nearest(open) {
  // The picture with the block in the requested state that differs least from the current one.
  const before = file.pictures[now.picture].open;
  const id = [...open, ...before].find((one) => open.includes(one) !== before.includes(one));
  if (!id) return now.picture;
  const far = (i) => Math.abs(file.pictures[i].open.length - before.length);
  const fit = (i) => file.pictures[i].open.includes(id) === open.includes(id);
  return [...file.pictures.keys()].filter(fit).sort((a, b) => far(a) - far(b))[0] ?? now.picture;
}

function select(id) {
  now.selected = id;
  const make = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  if (file.nodes[id]) {
    const [label, detail, ...facts] = file.nodes[id];
    const list = document.createElement('ul');
    list.append(...facts.map((fact) => make('li', fact)));
    $('aside').replaceChildren(make('h2', label), make('p', detail), list);
  } else {
    $('aside').replaceChildren();
  }
  show();
}

$('tbody').addEventListener('click', ({ target }) => {
  const row = target.closest('button')?.closest('tr');
  if (!row) return;
  select(row.dataset.id);
  view.bring(view.node(row.dataset.id));
});
$('#first').addEventListener('click', () => {
  now.picture = file.first;
  show();
});

function paint(dark) {
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  $('#theme').setAttribute('aria-pressed', dark);
}
$('#theme').addEventListener('click', () => paint($('#theme').ariaPressed === 'false'));
paint(matchMedia('(prefers-color-scheme: dark)').matches);
window.addEventListener('resize', show);
show();
