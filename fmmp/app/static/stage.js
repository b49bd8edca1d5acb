// The picture and its keypoints: zoom, pan, clicks and drags, by mouse, pen or fingers.

import * as api from './api.js';
import * as edit from './editing.js';
import * as samples from './samples.js';
import { nameOf, store } from './store.js';

// Okabe and Ito's colours, which stay distinct to colour-blind readers.
export const COLOURS = ['#56b4e9', '#e69f00', '#009e73', '#f0e442', '#cc79a7', '#0072b2', '#d55e00'];
export const colour = (number) => COLOURS[number % COLOURS.length];

const CLICK = 4; // pixels that a click may move
const REACH = { mouse: 13, pen: 16, touch: 26 }; // pixels around a keypoint that take it
const MARGIN = 12, MOST = 60;

const stage = document.getElementById('stage');
const image = document.getElementById('picture');
const marks = document.getElementById('marks');
const hint = document.getElementById('hint');
const broken = document.getElementById('broken');
const loupe = document.getElementById('loupe');

export const shown = { links: true, names: false, confidence: true, layers: false, samples: false };
let tool = 'point';
let linkFrom = null;
let pointer = null; // where the mouse is, for the line of a link
let view = { scale: 1, x: 0, y: 0 };
let fitted = true;
let drawn = null; // name and version of the picture that is shown

export const currentTool = () => tool;

export function choose(name) {
  tool = name;
  linkFrom = name === 'link' ? store.selected : null;
  store.emit('picture');
}

// To the screen, and back.
const out = ({ x, y }) => [x * view.scale + view.x, y * view.scale + view.y];
const into = (x, y) => [(x - view.x) / view.scale, (y - view.y) / view.scale];

function at(event) {
  const { left, top } = stage.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

export function fit() {
  const { picture } = store;
  const { clientWidth, clientHeight } = stage;
  if (!picture?.width || !clientWidth) return;
  const scale = Math.min((clientWidth - 2 * MARGIN) / picture.width, (clientHeight - 2 * MARGIN) / picture.height);
  view = {
    scale,
    x: (clientWidth - scale * picture.width) / 2,
    y: (clientHeight - scale * picture.height) / 2,
  };
  fitted = true;
  draw();
}

export function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const { picture } = store;
  if (!picture?.width) return;
  const least = 0.5 * Math.min(stage.clientWidth / picture.width, stage.clientHeight / picture.height);
  const scale = Math.min(Math.max(view.scale * factor, least), MOST);
  const [px, py] = into(x, y);
  view = { scale, x: x - px * scale, y: y - py * scale };
  fitted = false;
  draw();
}

function pan(dx, dy) {
  const { picture } = store;
  const keep = 60; // of the picture, on the screen
  const within = (value, size, room) => Math.min(Math.max(value, keep - size * view.scale), room - keep);
  view.x = within(view.x + dx, picture.width, stage.clientWidth);
  view.y = within(view.y + dy, picture.height, stage.clientHeight);
  fitted = false;
  draw();
}

// Brings a keypoint that is out of the screen into it.
function reveal(id) {
  const point = store.picture?.points[id];
  if (!point) return;
  const [x, y] = out(point);
  const { clientWidth: width, clientHeight: height } = stage;
  if (x < 0 || y < 0 || x > width || y > height) pan(width / 2 - x, height / 2 - y);
}

// Drawing.

const SVG = 'http://www.w3.org/2000/svg';
function element(tag, attributes, parent = marks) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

function line(points, kind) {
  const d = points.map(([x, y], n) => `${n ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
  element('path', { d, class: `${kind} under` });
  element('path', { d, class: kind });
}

export function draw() {
  const { picture, current } = store;
  marks.replaceChildren();
  const readable = Boolean(picture && !picture.error);
  image.hidden = !readable;
  broken.hidden = !picture?.error;
  broken.textContent = picture?.error ? `${current} is left out: ${picture.error}` : '';
  hint.textContent = readable ? hintText() : '';
  if (!readable) {
    samples.draw(marks, out);
    return;
  }
  image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  image.style.imageRendering = view.scale > 5 ? 'pixelated' : 'auto';
  const points = store.keypoints.map(({ id }, number) => ({ id, number, point: picture.points[id] })).filter(({ point }) => point);
  if (picture.box) drawBox(picture.box);
  samples.draw(marks, out);
  if (shown.layers) {
    for (const { point, number } of points) drawLayers(point, number);
  }
  if (shown.links || tool === 'link') {
    for (const [a, b] of store.links) {
      if (picture.points[a] && picture.points[b]) line([out(picture.points[a]), out(picture.points[b])], 'link');
    }
  }
  if (tool === 'link' && linkFrom && picture.points[linkFrom] && pointer) {
    line([out(picture.points[linkFrom]), pointer], 'link new');
  }
  for (const one of points) if (one.id !== store.selected) drawPoint(one);
  for (const one of points) if (one.id === store.selected) drawPoint(one);
}

function drawBox([x, y, width, height]) {
  const [left, top] = out({ x, y });
  const size = { x: left, y: top, width: width * view.scale, height: height * view.scale };
  element('rect', { ...size, class: 'object under' });
  element('rect', { ...size, class: 'object' });
}

function drawLayers({ layers }, number) {
  if (!layers) return;
  const places = layers.map(([x, y]) => out({ x, y }));
  line(places, 'layer');
  for (const [cx, cy] of places.slice(0, -1)) element('circle', { cx, cy, r: 3, fill: colour(number), class: 'layer-point' });
}

function drawPoint({ id, number, point }) {
  const [x, y] = out(point);
  const predicted = 'confidence' in point;
  const percent = predicted ? Math.round(100 * point.confidence) : null;
  const state = [predicted ? `predicted, ${percent} %` : 'placed', point.hidden ? 'hidden' : ''].filter(Boolean).join(', ');
  const kinds = ['keypoint', predicted && 'predicted', point.hidden && 'hidden', id === store.selected && 'selected', id === linkFrom && 'from'];
  const group = element('g', {
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
    class: kinds.filter(Boolean).join(' '),
    role: 'img',
    'aria-label': `${nameOf(id)}: ${state}`,
    'data-id': id,
  });
  if (id === store.selected) element('circle', { r: 15, class: 'halo' }, group);
  element('circle', { r: 6.5, class: 'edge' }, group);
  element('circle', { r: 5.5, class: 'dot', fill: colour(number), stroke: colour(number) }, group);
  if (predicted && shown.confidence) {
    element('circle', { r: 10, class: 'track' }, group);
    element('path', { d: arc(10, point.confidence), class: 'arc' }, group);
  }
  const text = element('text', { x: 13, y: -9, class: 'label' }, group);
  text.textContent = shown.names || id === store.selected ? nameOf(id) : String(number + 1);
}

export function arc(radius, part) {
  const angle = 2 * Math.PI * Math.min(part, 0.9999);
  const [x, y] = [radius * Math.sin(angle), -radius * Math.cos(angle)];
  return `M0 ${-radius}A${radius} ${radius} 0 ${angle > Math.PI ? 1 : 0} 1 ${x.toFixed(2)} ${y.toFixed(2)}`;
}

function hintText() {
  if (tool === 'link') {
    return linkFrom ? `Click the keypoint to link with ${nameOf(linkFrom)}, or the same one again to start elsewhere; Esc ends` : 'Click a keypoint to link from';
  }
  if (tool === 'box') return 'Drag a box around the object; click to remove it';
  const free = edit.unplaced();
  if (free.length) {
    const wanted = free.find(({ id }) => id === store.selected) || free[0];
    return `Click where ${nameOf(wanted.id)} is`;
  }
  if (!store.keypoints.length) return 'Click the first keypoint';
  if (edit.addsKeypoints()) return `Click the next keypoint, drag to move one${store.keypoints.length > 1 ? '; then predict the others (P)' : ''}`;
  if (store.picture.checked) return '';
  return 'Drag what is wrong. All right? Press “Right, next”';
}

// Pointers.

const fingers = new Map();
let gesture = null;

function nearest([x, y], reach) {
  let best = null;
  for (const { id } of store.keypoints) {
    const point = store.picture.points[id];
    if (!point) continue;
    const [px, py] = out(point);
    const distance = Math.hypot(px - x, py - y) - (id === store.selected ? 4 : 0);
    if (distance < reach && (!best || distance < best.distance)) best = { id, distance };
  }
  return best?.id;
}

stage.addEventListener('pointerdown', (event) => {
  if (!store.picture || store.picture.error || event.button > 1) return;
  stage.focus({ preventScroll: true });
  stage.setPointerCapture(event.pointerId);
  const place = at(event);
  fingers.set(event.pointerId, place);
  if (fingers.size === 2) {
    cancel();
    gesture = { kind: 'pinch', ...spread() };
    return;
  }
  const id = event.button === 1 ? null : nearest(place, REACH[event.pointerType] || 13);
  gesture = { kind: 'press', start: place, last: place, id, name: store.current, before: store.picture, touch: event.pointerType !== 'mouse', button: event.button };
  if (id && tool === 'point') store.select(id);
  event.preventDefault();
});

stage.addEventListener('pointermove', (event) => {
  const place = at(event);
  if (fingers.has(event.pointerId)) fingers.set(event.pointerId, place);
  pointer = place;
  if (gesture?.kind === 'pinch') {
    pinch();
    return;
  }
  if (!gesture) {
    if (store.picture && !store.picture.error) {
      stage.classList.toggle('over', Boolean(nearest(place, REACH[event.pointerType] || 13)));
      if (linkFrom) draw();
    }
    return;
  }
  if (gesture.kind === 'press' && Math.hypot(place[0] - gesture.start[0], place[1] - gesture.start[1]) >= CLICK) {
    if (gesture.id && tool === 'point') gesture.kind = 'drag';
    else gesture.kind = tool === 'box' && !gesture.button ? 'box' : 'pan';
  }
  const [dx, dy] = [place[0] - gesture.last[0], place[1] - gesture.last[1]];
  gesture.last = place;
  if (gesture.kind === 'pan') pan(dx, dy);
  if (gesture.kind === 'drag') drag(place);
  if (gesture.kind === 'box') store.preview(gesture.name, { ...gesture.before, box: boxOf(gesture.start, place) });
});

stage.addEventListener('pointerup', (event) => {
  fingers.delete(event.pointerId);
  loupe.hidden = true;
  const done = gesture;
  if (done?.kind === 'pinch') {
    if (!fingers.size) gesture = null;
    return;
  }
  gesture = null;
  if (!done || done.name !== store.current) return;
  const place = at(event);
  if (done.kind === 'press' && !done.button) click(place, done.id);
  if (done.kind === 'drag') {
    const [x, y] = clamped(dragged(done, place));
    settle(done);
    edit.move(done.id, x, y);
  }
  if (done.kind === 'box') {
    settle(done);
    edit.setBox(boxOf(done.start, place));
  }
});

stage.addEventListener('pointercancel', (event) => {
  fingers.delete(event.pointerId);
  cancel();
});
stage.addEventListener('pointerleave', () => {
  pointer = null;
  if (linkFrom) draw();
});

stage.addEventListener(
  'wheel',
  (event) => {
    event.preventDefault();
    if (store.picture && !store.picture.error) zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...at(event));
  },
  { passive: false },
);

function settle(done) {
  store.release();
  store.pictures[done.name] = done.before;
}

export function cancel() {
  if (gesture && ['drag', 'box'].includes(gesture.kind)) {
    settle(gesture);
    store.emit('picture');
  }
  gesture = null;
  loupe.hidden = true;
}

function click([x, y], id) {
  if (tool === 'box') {
    if (store.picture.box) edit.setBox(null);
  } else if (tool === 'link') {
    if (id) linkTo(id);
  } else if (!id) {
    const [px, py] = into(x, y);
    const { width, height } = store.picture;
    if (px >= 0 && py >= 0 && px <= width && py <= height) edit.place(round(px), round(py));
    else store.select(null);
  }
}

export function linkTo(id) {
  if (linkFrom && linkFrom !== id) edit.toggleLink(linkFrom, id);
  linkFrom = linkFrom === id ? null : id;
  store.select(linkFrom);
}

const round = (value) => Math.round(100 * value) / 100;
function clamped([x, y]) {
  const { width, height } = store.picture;
  return [round(Math.min(Math.max(x, 0), width)), round(Math.min(Math.max(y, 0), height))];
}

// Where a keypoint is dragged to: it keeps its distance from the finger.
function dragged({ before, id, start }, place) {
  const [x, y] = out(before.points[id]);
  return into(x + place[0] - start[0], y + place[1] - start[1]);
}

function drag(place) {
  const [x, y] = clamped(dragged(gesture, place));
  store.preview(gesture.name, edit.moved(gesture.before, gesture.id, x, y));
  if (gesture.touch) magnify(x, y);
}

// What the finger covers, in a corner.
function magnify(x, y) {
  const zoomed = Math.max(2.5 * view.scale, 1), side = 112;
  const { width, height } = store.picture;
  loupe.hidden = false;
  loupe.style.backgroundImage = `url("${image.src}")`;
  loupe.style.backgroundSize = `${width * zoomed}px ${height * zoomed}px`;
  loupe.style.backgroundPosition = `${side / 2 - x * zoomed}px ${side / 2 - y * zoomed}px`;
  const [px, py] = out({ x, y });
  loupe.classList.toggle('away', px < side + 40 && py < side + 40);
}

function boxOf(start, end) {
  const [a, b] = [clamped(into(...start)), clamped(into(...end))];
  const [x, y] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  return [x, y, Math.max(Math.abs(a[0] - b[0]), 1), Math.max(Math.abs(a[1] - b[1]), 1)];
}

function spread() {
  const [[ax, ay], [bx, by]] = [...fingers.values()];
  return { distance: Math.hypot(ax - bx, ay - by), middle: [(ax + bx) / 2, (ay + by) / 2] };
}

function pinch() {
  if (fingers.size < 2) return;
  const { distance, middle } = spread();
  pan(middle[0] - gesture.middle[0], middle[1] - gesture.middle[1]);
  zoom(distance / gesture.distance, ...middle);
  Object.assign(gesture, { distance, middle });
}

// Another picture, another size of the window.

export function show() {
  const { picture, current } = store;
  const wanted = picture && !picture.error ? `${current} ${picture.version}` : null;
  if (wanted !== drawn) {
    drawn = wanted;
    cancel();
    linkFrom = null;
    image.removeAttribute('src');
    if (wanted) {
      image.width = picture.width;
      image.height = picture.height;
      image.src = api.pixels(current, picture, 'view');
      stage.setAttribute('aria-label', `Picture ${current}`);
      fit();
    }
  }
  draw();
}

new ResizeObserver(() => (fitted ? fit() : draw())).observe(stage);

// By keys.

export function nudge(dx, dy) {
  const id = store.selected;
  const point = store.picture?.points[id];
  if (!point) return false;
  const step = 1 / Math.max(view.scale, 0.2);
  const [x, y] = clamped([point.x + dx * step, point.y + dy * step]);
  edit.move(id, x, y, { kind: `nudge ${id}` });
  reveal(id);
  return true;
}

// The next keypoint of the list, placed or not; null behind the last.
export function cycle(step) {
  const ids = store.keypoints.map(({ id }) => id);
  const number = ids.indexOf(store.selected);
  const next = number < 0 ? (step > 0 ? 0 : ids.length - 1) : number + step;
  store.select(ids[next] ?? null);
  reveal(store.selected);
  return store.selected !== null;
}

// Places a keypoint in the middle of what is seen.
export function placeInTheMiddle() {
  const [x, y] = clamped(into(stage.clientWidth / 2, stage.clientHeight / 2));
  edit.place(x, y);
}

export const focus = () => stage.focus({ preventScroll: true });
