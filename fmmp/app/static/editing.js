// What a person does to keypoints: each is one step of undo.

import { store } from './store.js';

// A picture that a person changes is checked, and an example for the others.
const byHand = (picture) => (picture.checked ? {} : { checked: true, shot: true });

function put(points, options = {}) {
  const { current, picture } = store;
  store.change({ pictures: { [current]: { points, ...byHand(picture) } } }, options);
}

export const unplaced = () => store.keypoints.filter(({ id }) => !store.picture.points[id]);

// Places the selected keypoint, else the next that this picture lacks, else a new one.
export function place(x, y) {
  const free = unplaced();
  const wanted = free.find(({ id }) => id === store.selected) || free[0];
  if (wanted) {
    put({ ...store.picture.points, [wanted.id]: { x, y, hidden: false } });
    store.select(wanted.id);
    return wanted.id;
  }
  if (!addsKeypoints()) {
    store.select(null);
    return null;
  }
  const id = `k${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
  const { current, picture, keypoints } = store;
  store.change({
    keypoints: [...keypoints, { id, name: freeName() }],
    pictures: { [current]: { points: { ...picture.points, [id]: { x, y, hidden: false } }, ...byHand(picture) } },
  });
  store.select(id);
  return id;
}

// New keypoints come by clicks until others have been predicted, and on request after that.
let adding = false;
export const addsKeypoints = () =>
  adding || !Object.values(store.pictures).some((p) => Object.values(p.points).some((q) => 'confidence' in q));
export const askForNew = (value) => {
  adding = value;
  store.emit('picture');
};

function freeName() {
  const names = new Set(store.keypoints.map(({ name }) => name));
  let number = store.keypoints.length + 1;
  while (names.has(`keypoint ${number}`)) number += 1;
  return `keypoint ${number}`;
}

export function move(id, x, y, options) {
  const { hidden } = store.picture.points[id];
  put({ ...store.picture.points, [id]: { x, y, hidden } }, options);
}

export function moved(picture, id, x, y) {
  const { hidden } = picture.points[id];
  return { ...picture, points: { ...picture.points, [id]: { x, y, hidden } } };
}

export function hide(id) {
  const point = store.picture?.points[id];
  if (!point) return;
  const { x, y, hidden } = point;
  put({ ...store.picture.points, [id]: { x, y, hidden: !hidden } });
}

// Off this picture; the keypoint stays.
export function remove(id) {
  if (!store.picture?.points[id]) return;
  const { [id]: _, ...points } = store.picture.points;
  put(points);
}

// Out of the project. Its points stay with the pictures until the project is opened anew, for undo.
export function forget(id) {
  store.change({
    keypoints: store.keypoints.filter((keypoint) => keypoint.id !== id),
    links: store.links.filter((link) => !link.includes(id)),
  });
}

export function rename(id, name) {
  const keypoints = store.keypoints.map((keypoint) => (keypoint.id === id ? { id, name } : keypoint));
  store.change({ keypoints });
}

export function toggleLink(a, b) {
  if (a === b) return;
  const rest = store.links.filter((link) => !(link.includes(a) && link.includes(b)));
  store.change({ links: rest.length < store.links.length ? rest : [...rest, [a, b]] });
}

// The box changes what is predicted, but says nothing of the keypoints.
export function setBox(box) {
  store.change({ pictures: { [store.current]: { box } } });
}

export function accept() {
  const { current, picture } = store;
  if (!picture || picture.checked || !Object.keys(picture.points).length) return;
  store.change({ pictures: { [current]: { checked: true } } });
}

export function toggleShot() {
  const { current, picture } = store;
  if (!picture || !Object.keys(picture.points).length) return;
  store.change({ pictures: { [current]: { shot: !picture.shot, checked: true } } });
}
