// Replaces the old picture by a new one and keeps equal elements, so that a slider that changes two of
// six hundred boxes only updates these two.

const name = (part) => part.dataset.id ?? part.getAttribute('class') ?? part.tagName;

// Updates `svg` to the picture in `text`. Returns the removed nodes by id.
export function patch(svg, text) {
  const page = document.createElement('template');
  page.innerHTML = text;
  const fresh = page.content.firstElementChild;
  for (const { name: key, value } of fresh.attributes)
    if (svg.getAttribute(key) !== value) svg.setAttribute(key, value);
  const wanted = new Set([...fresh.children].map(name));
  const gone = [...svg.children].filter((part) => !wanted.has(name(part)));
  for (const part of gone) part.remove();
  let at = svg.firstElementChild;
  for (const part of [...fresh.children]) {
    if (at && name(at) === name(part)) {
      const next = at.nextElementSibling;
      if (!at.isEqualNode(part)) at.replaceWith(part);
      at = next;
    } else {
      svg.insertBefore(part, at);
    }
  }
  for (let rest = at; rest; rest = at) {
    at = rest.nextElementSibling;
    rest.remove();
  }
  return new Map(gone.filter((part) => part.dataset.id).map((part) => [part.dataset.id, part]));
}
