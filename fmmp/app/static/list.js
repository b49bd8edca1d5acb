// The pictures, in groups, with what is found in them.

import * as api from './api.js';
import { colour } from './stage.js';
import { certainty, groups, store } from './store.js';

const list = document.getElementById('list');
const SVG = 'http://www.w3.org/2000/svg';
const items = new Map(); // by name: the element, and what it shows

export const order = () => groups().flatMap(([, names]) => names);

export function draw() {
  const wanted = [];
  for (const [title, names] of groups()) {
    wanted.push(heading(title, names.length), ...names.map(item));
  }
  for (const name of items.keys()) if (!store.pictures[name]) items.delete(name);
  arrange(list, wanted);
}

// Puts a parent's elements into their order, and moves none that is in its place: one that is moved
// loses the focus.
export function arrange(parent, wanted) {
  let next = parent.firstChild;
  for (const element of wanted) {
    if (element === next) next = next.nextSibling;
    else parent.insertBefore(element, next);
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

const headings = new Map();
function heading(title, count) {
  if (!headings.has(title)) headings.set(title, document.createElement('h2'));
  const element = headings.get(title);
  const text = `${title} · ${count}`;
  if (element.textContent !== text) element.textContent = text;
  return element;
}

function item(name) {
  const picture = store.pictures[name];
  let known = items.get(name);
  if (!known) {
    known = { element: make(name), picture: null, keypoints: null };
    items.set(name, known);
  }
  const isCurrent = name === store.current;
  if (known.picture !== picture || known.keypoints !== store.keypoints) {
    fill(known, name, picture);
    Object.assign(known, { picture, keypoints: store.keypoints });
  }
  if (known.element.classList.contains('current') !== isCurrent) {
    known.element.classList.toggle('current', isCurrent);
    known.element.setAttribute('aria-current', String(isCurrent));
    if (isCurrent) requestAnimationFrame(() => known.element.scrollIntoView({ block: 'nearest', inline: 'nearest' }));
  }
  return known.element;
}

function make(name) {
  const element = document.createElement('button');
  element.className = 'item';
  element.dataset.name = name;
  element.tabIndex = -1;
  const frame = document.createElement('span');
  frame.className = 'frame';
  const text = document.createElement('span');
  text.className = 'text';
  element.append(frame, text);
  element.addEventListener('click', () => store.open(name));
  return element;
}

function fill({ element, picture: was }, name, picture) {
  const [frame, text] = element.children;
  element.classList.toggle('broken', Boolean(picture.error));
  if (picture.error) {
    frame.replaceChildren();
  } else if (!frame.firstChild || was?.version !== picture.version) {
    const image = new Image();
    image.loading = 'lazy';
    image.decoding = 'async';
    image.alt = '';
    image.src = api.pixels(name, picture, 'thumb');
    const dots = document.createElementNS(SVG, 'svg');
    dots.setAttribute('viewBox', `0 0 ${picture.width} ${picture.height}`);
    frame.replaceChildren(image, dots);
  }
  if (!picture.error) dot(frame.lastChild, picture);
  const value = picture.error || picture.checked ? null : certainty(picture);
  const label = document.createElement('span');
  label.className = 'name';
  label.textContent = name;
  label.title = name;
  const state = document.createElement('span');
  state.className = 'state';
  if (picture.error) state.textContent = picture.error;
  else if (picture.checked) state.textContent = picture.shot ? '★ example' : '✓ checked';
  else if (value !== null) state.append(meter(value), `${Math.round(100 * value)} %`);
  text.replaceChildren(label, state);
}

function dot(svg, picture) {
  const radius = 0.03 * Math.max(picture.width, picture.height);
  svg.replaceChildren(
    ...store.keypoints.flatMap(({ id }, number) => {
      const point = picture.points[id];
      if (!point) return [];
      const circle = document.createElementNS(SVG, 'circle');
      for (const [key, value] of Object.entries({ cx: point.x, cy: point.y, r: radius, fill: point.hidden ? 'none' : colour(number), 'stroke-width': radius / 2.5 })) {
        circle.setAttribute(key, value);
      }
      return [circle];
    }),
  );
}

export function meter(value) {
  const element = document.createElement('span');
  element.className = 'meter';
  const bar = document.createElement('span');
  bar.style.width = `${100 * value}%`;
  element.append(bar);
  return element;
}
