// A graph in a file of its own: graph.js shows it, above this text in the same file; here is what
// the page does elsewhere. Of each level there is a finished picture, since nothing is laid out here.

const $ = (selector) => document.querySelector(selector);
const file = JSON.parse($('#file').textContent);
const host = $('.graph');
const rows = [...document.querySelectorAll('tbody tr')];
const view = new View(host);
const now = { level: file.shown, selected: '' };
file.levels[now.level].svg = host.querySelector('.canvas').innerHTML; // it stands there for those without scripts

function show() {
  const { svg, open } = file.levels[now.level];
  const height = Math.max(380, window.innerHeight - $('header').offsetHeight - 60);
  view.show({ svg, open, selected: now.selected, height, sight: '', name: document.title }, sent);
  for (const node of host.querySelectorAll('.node')) {
    node.classList.toggle('selected', node.dataset.id === now.selected);
  }
  for (const row of rows) {
    row.hidden = !host.querySelector(`[data-id="${CSS.escape(row.dataset.id)}"]`);
    row.classList.toggle('selected', row.dataset.id === now.selected);
  }
  $(`#levels [value="${now.level}"]`).checked = true;
}

function sent(_, { open, selected }) {
  const before = file.levels[now.level].open;
  const id = [...open, ...before].find((one) => open.includes(one) !== before.includes(one));
  if (id) {
    now.level = nearest(id, open.includes(id));
    now.selected = id;
  } else {
    now.selected = selected;
  }
  tell();
  show();
}

function nearest(id, open) {
  // The level in which a block is open, or folded, that differs least from this one.
  const size = file.levels[now.level].open.length;
  const far = (level) => Math.abs(file.levels[level].open.length - size);
  const found = [...file.levels.keys()].filter((level) => file.levels[level].open.includes(id) === open);
  return found.sort((a, b) => far(a) - far(b))[0] ?? now.level;
}

function tell() {
  const facts = file.nodes[now.selected];
  const make = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  if (!facts) return;
  const [label, detail, ...lines] = facts;
  const list = document.createElement('ul');
  list.append(...lines.map((line) => make('li', line)));
  $('aside').replaceChildren(make('h2', label), make('p', detail), list);
}

$('#levels').addEventListener('change', ({ target }) => {
  now.level = +target.value;
  show();
});
$('tbody').addEventListener('click', ({ target }) => {
  const row = target.closest('button')?.closest('tr');
  if (!row) return;
  now.selected = row.dataset.id;
  tell();
  show();
  view.bring(view.node(now.selected));
});

const theme = $('#theme');
function paint(dark) {
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  theme.setAttribute('aria-pressed', dark);
}
theme.addEventListener('click', () => paint(theme.getAttribute('aria-pressed') === 'false'));
paint(matchMedia('(prefers-color-scheme: dark)').matches);
window.addEventListener('resize', show);
show();
