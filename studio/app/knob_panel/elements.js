// What all files of the panel use: elements, their texts, and events of the document.

const SHOWN_DIGITS = 6;

function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text; // else screen readers repeat it
}

function shortest(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(SHOWN_DIGITS)));
}

function arrange(parent, children) {
  const same = children.length === parent.children.length
    && children.every((child, i) => child === parent.children[i]);
  if (!same) parent.replaceChildren(...children); // it would take the focus away
}

function onDocument(host, type, act) {
  // Acts on an event of the document for as long as the host is part of it.
  const left = new AbortController();
  document.addEventListener(type, ({ detail }) => {
    if (host.isConnected) act(detail);
    else left.abort();
  }, { signal: left.signal });
}
