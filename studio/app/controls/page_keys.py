"""A button that copies the page's link, and keyboard shortcuts for undo and redo.

Streamlit's own button shortcuts also fire in text fields, where the same keys undo typing; these
do not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import streamlit as st

COPIED_MS = 1600
HTML = '<button type="button" class="copy">Copy link</button>'
CSS = """.copy { white-space: nowrap; padding: .15rem .7rem;
  font: 500 .8rem var(--st-font), sans-serif;
  color: var(--st-text-color); background: transparent; border: 1px solid var(--st-border-color);
  border-radius: var(--st-base-radius); cursor: pointer; }
.copy:hover, .copy:focus-visible { border-color: var(--st-primary-color); }"""
JS = """
const KEYS = { z: 'undo', y: 'redo' };

export default function ({ data, parentElement }) {
  const button = parentElement.querySelector('.copy');
  button.title = 'Copies a link that opens this page as it is';
  button.onclick = async () => {
    button.textContent = await copied(data.link) ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => { button.textContent = 'Copy link'; }, COPIED_MS);
  };
  document.addEventListener('keydown', pressed);
  return () => document.removeEventListener('keydown', pressed);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // a page that is not from this machine and not encrypted has no clipboard
    const field = Object.assign(document.createElement('textarea'), { value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}

function pressed(event) {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (!(ctrlKey || metaKey) || altKey || isTyping(event.composedPath()[0])) return;
  const name = key.toLowerCase() === 'z' && shiftKey ? 'redo' : KEYS[key.toLowerCase()];
  if (!name) return;
  event.preventDefault();
  document.querySelector(`.st-key-${name} button:enabled`)?.click();
}

function isTyping(target) {
  if (target.isContentEditable || target.matches?.('textarea')) return true;
  if (!target.matches?.('input')) return false;
  const types = ['text', 'number', 'search', 'url', 'email', 'password', 'tel'];
  if (!types.includes(target.type)) return false; // a slider
  return target.role !== 'combobox' || target.ariaExpanded === 'true';
}
""".replace("COPIED_MS", str(COPIED_MS))


def page_keys(link: str) -> None:
    """A button that copies a link, and the keys of undo and redo."""
    _component()(key="page_keys", data={"link": link}, height=28, width="content")


@cache
def _component() -> Any:
    return st.components.v2.component("page_keys", html=HTML, css=CSS, js=JS)
