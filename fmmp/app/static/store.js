// The project as this page has it: changes by hand with undo, sent to the server as they are made.

import * as api from './api.js';

const MERGE = 900; // milliseconds in which the same kind of change counts as one, such as nudges
const RETRY = 2000;

class Store extends EventTarget {
  keypoints = [];
  links = [];
  pictures = {}; // by name
  current = null; // the picture's name
  selected = null; // the keypoint's id
  status = { state: 'loading', done: 0, total: 0, message: '' };
  saved = 'saved'; // or 'saving', 'failed', 'foreign': another folder is served now
  #undo = [];
  #redo = [];
  #revision = 0;
  #digest = '';
  #unsent = null;
  #sending = null;

  get picture() {
    return this.pictures[this.current];
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  async load() {
    const { revision, keypoints, links, pictures, status, ...rest } = await api.project();
    Object.assign(this, { keypoints, links, pictures, status });
    this.#revision = revision;
    if (!this.pictures[this.current]) this.current = null;
    this.emit('all');
    return rest;
  }

  // Follows what the server does: predictions, and other tabs.
  async follow() {
    for (;;) {
      try {
        const found = await api.changes(this.#revision, this.#digest);
        this.#take(found);
        this.#rejoin();
      } catch (error) {
        if (error.foreign) this.#part(error.message);
        this.emit('lost');
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  #take({ revision, keypoints, links, pictures, status, digest }) {
    const dirty = { ...this.#sending, ...this.#unsent };
    const dirtyPictures = { ...this.#sending?.pictures, ...this.#unsent?.pictures };
    if (keypoints && !('keypoints' in dirty) && !('links' in dirty)) {
      Object.assign(this, { keypoints, links });
    }
    for (const [name, picture] of Object.entries(pictures)) {
      if (!(name in dirtyPictures) && this.held !== name) this.pictures[name] = picture;
    }
    this.#revision = revision;
    this.#digest = digest;
    const was = this.status;
    this.status = status;
    this.emit('all');
    if (status.message && status.message !== was.message) this.emit('message', status.message);
  }

  // What is made here is kept, and sent only when this page's own folder is served again.
  #part(message) {
    if (this.saved === 'foreign') return;
    this.#tell('foreign');
    this.emit('message', message);
  }

  #rejoin() {
    if (this.saved !== 'foreign') return;
    this.#tell('saved');
    this.send();
  }

  // Changes the project: parts in the form of the server's, pictures in part.
  change(patch, { kind = '', before = null } = {}) {
    const full = { ...patch };
    if (patch.pictures) {
      full.pictures = {};
      for (const [name, part] of Object.entries(patch.pictures)) {
        full.pictures[name] = { ...this.pictures[name], ...part };
      }
    }
    const step = { before: before || this.#now(full), after: full, at: this.current, kind, when: Date.now() };
    const last = this.#undo.at(-1);
    if (kind && last?.kind === kind && last.at === step.at && step.when - last.when < MERGE) {
      last.after = full;
      last.when = step.when;
    } else {
      this.#undo.push(step);
    }
    this.#redo = [];
    this.#apply(full);
  }

  // Shows a change that is not finished, such as half of a drag.
  preview(name, picture) {
    this.held = name;
    this.pictures[name] = picture;
    this.emit('picture');
  }

  release() {
    this.held = null;
  }

  undo() {
    this.#step(this.#undo, this.#redo, 'before');
  }

  redo() {
    this.#step(this.#redo, this.#undo, 'after');
  }

  #step(from, to, side) {
    const step = from.pop();
    if (!step) return;
    to.push({ ...step, kind: '' });
    if (step.at && this.pictures[step.at]) this.current = step.at;
    this.#apply(step[side]);
  }

  #now(patch) {
    const now = {};
    if (patch.keypoints || patch.links) Object.assign(now, { keypoints: this.keypoints, links: this.links });
    if (patch.pictures) {
      now.pictures = Object.fromEntries(Object.keys(patch.pictures).map((name) => [name, this.pictures[name]]));
    }
    return now;
  }

  #apply(patch) {
    for (const key of ['keypoints', 'links']) if (patch[key]) this[key] = patch[key];
    Object.assign(this.pictures, patch.pictures);
    if (!this.keypoints.some((keypoint) => keypoint.id === this.selected)) this.selected = null;
    const known = this.#unsent || {};
    this.#unsent = { ...known, ...patch, pictures: { ...known.pictures, ...patch.pictures } };
    this.emit('all');
    this.send();
  }

  // Sends what has changed; one request at a time, so that they arrive in their order.
  async send(last = false) {
    if ((this.#sending && !last) || !this.#unsent || this.saved === 'foreign') return;
    const patch = this.#unsent;
    this.#sending = patch;
    this.#unsent = null;
    this.#tell('saving');
    try {
      await api.change(wire(patch), last);
      this.#sending = null;
      this.#tell(this.#unsent ? 'saving' : 'saved');
    } catch (error) {
      this.#sending = null;
      if (error.refused && !error.foreign) {
        this.#unsent = null;
        this.#undo = [];
        this.#redo = [];
        this.emit('message', `Not saved: ${error.message}`);
        await this.load().catch(() => {});
      } else {
        const later = this.#unsent || {};
        this.#unsent = { ...patch, ...later, pictures: { ...patch.pictures, ...later.pictures } };
        if (error.foreign) {
          this.#part(error.message);
        } else {
          this.#tell('failed');
          await new Promise((resolve) => setTimeout(resolve, RETRY));
        }
      }
    }
    this.send();
  }

  get isSaved() {
    return !this.#sending && !this.#unsent;
  }

  #tell(saved) {
    this.saved = saved;
    this.emit('saved');
  }

  select(id) {
    this.selected = id;
    this.emit('picture');
  }

  open(name) {
    if (name === this.current) return;
    this.current = name;
    this.emit('all');
  }

  emit(kind, detail = null) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

// A change in the form of the server's.
function wire({ keypoints, links, pictures }) {
  const kept = ({ points, checked, shot, box, calibrated }) => ({ points, checked, shot, box, calibrated });
  const entries = Object.entries(pictures || {}).map(([name, picture]) => [name, kept(picture)]);
  return JSON.parse(JSON.stringify({ keypoints, links, pictures: Object.fromEntries(entries) }));
}

export const store = new Store();

// How sure the method is of a picture: the mean confidence of its predicted keypoints.
export function certainty(picture) {
  const values = Object.values(picture.points).map((point) => point.confidence).filter((c) => c !== undefined);
  return values.length ? values.reduce((a, b) => a + b) / values.length : null;
}

// The pictures in the order in which they want to be seen to, in named groups.
export function groups() {
  const order = new Intl.Collator(undefined, { numeric: true }).compare;
  const names = Object.keys(store.pictures).sort(order);
  const is = (test) => names.filter((name) => test(store.pictures[name]));
  const predicted = is((p) => !p.error && !p.checked && certainty(p) !== null);
  predicted.sort((a, b) => certainty(store.pictures[a]) - certainty(store.pictures[b]));
  return [
    ['To check, worst first', predicted],
    ['Not labelled', is((p) => !p.error && !p.checked && certainty(p) === null)],
    ['Examples', is((p) => !p.error && p.checked && p.shot)],
    ['Checked', is((p) => !p.error && p.checked && !p.shot)],
    ['Not readable, left out', is((p) => p.error)],
  ].filter(([, members]) => members.length);
}

export const nameOf = (id) => {
  const number = store.keypoints.findIndex((keypoint) => keypoint.id === id);
  return store.keypoints[number]?.name || `keypoint ${number + 1}`;
};
