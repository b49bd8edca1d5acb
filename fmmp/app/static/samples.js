// Where the method looks: the places that its answer for a keypoint is made of, in the picture and in
// the examples. They are asked for when they are wanted, and never saved.

import * as api from './api.js';
import { colour, shown } from './stage.js';
import { store } from './store.js';

const SVG = 'http://www.w3.org/2000/svg';
const views = document.getElementById('samples');
const NOTHING = { image: {}, supports: [] };
let asked = null; // what the answer is of
let found = NOTHING;
let missing = false; // the method does not say

const examples = () => Object.entries(store.pictures).filter(([, p]) => !p.error && p.checked && p.shot);

// Asks for the picture's samples where they are wanted and not there.
async function update() {
  const { current, picture } = store;
  if (missing || !shown.samples || !picture || picture.error || !examples().length) return;
  const key = JSON.stringify([current, picture.box, examples().map(([name, p]) => [name, p.points, p.box])]);
  if (key === asked) return;
  asked = key;
  found = NOTHING;
  while (!store.isSaved) await new Promise((resolve) => setTimeout(resolve, 10));
  const answer = await api.samples(current).catch(() => NOTHING);
  if (key !== asked) return; // another picture by now
  missing = !answer.image;
  found = answer.image ? answer : NOTHING;
  store.emit('picture');
}

// An example shows what is read of it, any other picture what is looked at in it.
function ofPicture() {
  const own = found.supports.find(({ name }) => name === store.current);
  return own ? own.points : found.image;
}

// Appends a keypoint's samples to a parent: the heavier, the larger. `place` puts them there.
function dots(parent, points, place, size) {
  store.keypoints.forEach(({ id }, number) => {
    if (!points[id] || (store.selected && store.selected !== id)) return;
    const most = Math.max(...points[id].map(([, , weight]) => weight));
    for (const [x, y, weight] of points[id]) {
      if (!weight) continue;
      const [cx, cy] = place({ x, y });
      const circle = document.createElementNS(SVG, 'circle');
      const part = Math.sqrt(weight / most);
      const values = { cx, cy, r: size * (0.3 + 0.7 * part), opacity: 0.5 + 0.5 * part, fill: colour(number), class: 'sample' };
      for (const [name, value] of Object.entries(values)) circle.setAttribute(name, value);
      parent.append(circle);
    }
  });
}

export function draw(marks, place) {
  update();
  const box = document.querySelector('[data-show=samples]');
  box.disabled = missing;
  box.closest('label').title = missing ? 'This method does not say where it looks' : 'What the answer is made of, here and in the examples';
  const wanted = shown.samples && !missing && store.picture && !store.picture.error;
  if (wanted) dots(marks, ofPicture(), place, 6);
  const others = wanted ? found.supports.filter(({ name }) => name !== store.current && store.pictures[name]).slice(0, 4) : [];
  views.hidden = !others.length;
  views.replaceChildren(...others.map(figure));
}

function figure({ name, points }) {
  const picture = store.pictures[name];
  const image = Object.assign(new Image(), { alt: '', src: api.pixels(name, picture, 'view') });
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${picture.width} ${picture.height}`);
  dots(svg, points, ({ x, y }) => [x, y], 0.016 * Math.max(picture.width, picture.height));
  const frame = document.createElement('div');
  frame.className = 'frame';
  frame.append(image, svg);
  const element = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.textContent = `★ ${name}`;
  element.append(frame, caption);
  return element;
}
