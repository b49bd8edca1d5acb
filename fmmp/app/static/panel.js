// The keypoints' names, and how sure the method is of each in this picture.

import * as edit from './editing.js';
import { colour, shown } from './stage.js';
import { arrange, meter } from './list.js';
import { store } from './store.js';

const list = document.getElementById('keypoints');
const rows = new Map();

export function draw() {
  document.getElementById('no-keypoints').hidden = store.keypoints.length > 0;
  document.getElementById('count').textContent = store.keypoints.length || '';
  arrange(list, [...store.keypoints.map(({ id, name }, number) => row(id, name, number)), ...lastRow()]);
  for (const id of rows.keys()) if (!store.keypoints.some((k) => k.id === id)) rows.delete(id);
  const refines = Object.values(store.picture?.points || {}).some((point) => point.layers);
  const layers = document.querySelector('[data-show=layers]');
  layers.disabled = !refines;
  layers.closest('label').title = refines ? 'The way from the first layer to the answer' : 'This method answers in one step';
}

const more = document.createElement('li');
more.className = 'more';
const button = document.createElement('button');
button.addEventListener('click', () => edit.askForNew(!edit.addsKeypoints()));
more.append(button);

// Once others are predicted, a click adds no keypoint unless it is asked to.
function lastRow() {
  const predicted = Object.values(store.pictures).some((p) => Object.values(p.points).some((q) => 'confidence' in q));
  if (!predicted || !store.keypoints.length) return [];
  button.textContent = edit.addsKeypoints() ? 'Done adding' : 'Add a keypoint';
  return [more];
}

function row(id, name, number) {
  let element = rows.get(id);
  if (!element) {
    element = make(id);
    rows.set(id, element);
  }
  const [badge, input, state] = element.children;
  badge.textContent = number + 1;
  badge.style.background = colour(number);
  badge.classList.toggle('dark', [5].includes(number % 7));
  if (document.activeElement !== input && input.value !== name) input.value = name;
  input.title = name;
  const point = store.picture?.points[id];
  element.classList.toggle('selected', id === store.selected);
  element.classList.toggle('missing', Boolean(store.picture) && !point);
  state.replaceChildren();
  if (!point) state.append('not placed');
  else if (point.hidden) state.append('hidden');
  else if ('confidence' in point && shown.confidence) {
    state.append(meter(point.confidence), `${Math.round(100 * point.confidence)} %`);
    state.title = store.picture.calibrated
      ? 'Probability that it is right: within a tenth of the longer side of the box'
      : 'How well it matches; not a probability: this method is not calibrated';
  }
  return element;
}

function make(id) {
  const element = document.createElement('li');
  element.dataset.id = id;
  const badge = document.createElement('button');
  badge.className = 'badge';
  badge.title = 'Select';
  badge.tabIndex = -1;
  badge.addEventListener('click', () => store.select(id));
  const input = document.createElement('input');
  input.maxLength = 100;
  input.setAttribute('aria-label', 'Name of the keypoint');
  input.spellcheck = false;
  input.addEventListener('focus', () => {
    if (store.selected !== id) store.select(id);
  });
  input.addEventListener('change', () => edit.rename(id, input.value.trim()));
  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    if (event.key === 'Escape') input.value = store.keypoints.find((k) => k.id === id).name;
    event.preventDefault();
    input.blur();
    const next = event.key === 'Enter' && element.nextElementSibling?.querySelector('input');
    if (next) next.select();
    else document.getElementById('stage').focus();
  });
  const state = document.createElement('span');
  state.className = 'state';
  const forget = document.createElement('button');
  forget.className = 'forget';
  forget.title = 'Delete this keypoint everywhere';
  forget.setAttribute('aria-label', 'Delete this keypoint everywhere');
  forget.textContent = '×';
  forget.addEventListener('click', () => edit.forget(id));
  element.append(badge, input, state, forget);
  return element;
}
