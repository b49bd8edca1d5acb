// Puts the parts together.

import * as api from './api.js';
import * as edit from './editing.js';
import * as keys from './keys.js';
import * as list from './list.js';
import * as panel from './panel.js';
import * as stage from './stage.js';
import { nameOf, store } from './store.js';

const $ = (id) => document.getElementById(id);
const AT_ONCE = 3; // uploads

// Pictures.

// The order in which pictures come. One that a person labels moves in the list; its neighbours here
// stay those that it had.
let trail = [];
let trailOf = null;

function follow() {
  if (trailOf === store.current && store.picture?.checked) return;
  trail = list.order();
  trailOf = store.current;
}

function go(step) {
  const next = trail[trail.indexOf(store.current) + step];
  if (next) store.open(next);
  return Boolean(next);
}

// To the picture that most wants to be seen to.
function goOn(from) {
  const open = list.order().filter((name) => !store.pictures[name].checked && !store.pictures[name].error);
  const next = open.find((name) => name !== from);
  if (next) store.open(next);
  else say('Every picture is checked. Export them with X.');
}

function accept() {
  if (!store.picture) return;
  const from = store.current;
  edit.accept();
  goOn(from);
  stage.focus();
}

async function predict() {
  if (store.status.state === 'running') {
    await attempt(api.stop());
    return;
  }
  const asked = performance.now();
  const { current, picture } = store;
  const first = picture && !picture.checked ? current : null;
  while (!store.isSaved) await new Promise((resolve) => setTimeout(resolve, 10));
  const begun = await attempt(api.predict(first));
  if (!begun) return;
  const seen = new Set(Object.values(store.pictures));
  const watch = () => {
    const found = Object.values(store.pictures).some((p) => !p.checked && !seen.has(p) && Object.keys(p.points).length);
    if (!found) return;
    store.removeEventListener('all', watch);
    performance.measure('first prediction', { start: asked });
    if (store.picture?.checked && stage.currentTool() === 'point') goOn(store.current);
  };
  store.addEventListener('all', watch);
}

// Adding.

async function add(files) {
  const pictures = [...files].filter((file) => file.type.startsWith('image/') || /\.(jpe?g|png|webp|bmp|tiff?|gif)$/i.test(file.name));
  const failed = [];
  let done = 0;
  const worker = async () => {
    for (let file = pictures.shift(); file; file = pictures.shift()) {
      await api.upload(file).catch((error) => failed.push(`${file.name}: ${error.message}`));
      done += 1;
      $('saved').textContent = `${done} added`;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await start();
  for (const message of failed.slice(0, 3)) say(message);
  if (failed.length > 3) say(`… and ${failed.length - 3} more were left out`);
}

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        for (const one of some) await walk(one);
      }
    }
  };
  for (const entry of entries) await walk(entry);
  return files;
}

async function example(name) {
  for (const button of $('examples').children) button.disabled = true;
  const added = await attempt(api.example(name));
  for (const button of $('examples').children) button.disabled = false;
  if (!added) return;
  await start();
  store.open(added.name);
}

// Exporting.

async function download(event) {
  event.preventDefault();
  const format = document.querySelector('#formats input:checked')?.value;
  const answer = await attempt(api.exported(format, $('predicted').checked));
  if (!answer) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await answer.blob());
  link.download = decodeURIComponent(/filename\*=UTF-8''(\S+)/.exec(answer.headers.get('Content-Disposition'))[1]);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  $('export').close();
  say(`${link.download} is downloaded`);
}

function openExport() {
  const pictures = Object.values(store.pictures).filter((p) => !p.error && Object.keys(p.points).length);
  const checked = pictures.filter((p) => p.checked).length;
  $('export-note').textContent = `${checked} checked, ${pictures.length - checked} predicted and not checked.`;
  $('export').showModal();
}

// What keys and buttons do.

const acts = {
  predict,
  accept,
  previous: () => go(-1),
  next: () => go(1),
  hide: () => edit.hide(store.selected),
  remove: () => edit.remove(store.selected),
  shot: edit.toggleShot,
  undo: () => store.undo(),
  redo: () => store.redo(),
  'zoom-in': () => stage.zoom(1.4),
  'zoom-out': () => stage.zoom(1 / 1.4),
  fit: stage.fit,
  export: openExport,
  help: () => $('help').showModal(),
  tool: (name) => stage.choose(stage.currentTool() === name ? 'point' : name),
  link: () => {
    if (stage.currentTool() !== 'link') stage.choose('link');
    else if (store.selected) stage.linkTo(store.selected);
    else stage.choose('point');
  },
  place: stage.placeInTheMiddle,
  cycle: stage.cycle,
  move: (dx, dy) => stage.nudge(dx, dy) || (dx ? go(Math.sign(dx)) : false),
  show: (what) => {
    const box = document.querySelector(`[data-show=${what}]`);
    if (!box.disabled) box.click();
  },
  name: () => {
    const input = document.querySelector(`#keypoints [data-id="${CSS.escape(store.selected)}"] input`);
    if (!input) return false;
    input.select();
  },
  escape: () => {
    stage.cancel();
    if (stage.currentTool() !== 'point') stage.choose('point');
    else store.select(null);
    stage.focus();
  },
};

// Messages.

function say(text) {
  const message = document.createElement('p');
  message.textContent = text;
  $('messages').append(message);
  setTimeout(() => message.remove(), 4000 + 40 * text.length);
}

async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    say(error.answered ? error.message : 'The server does not answer. Is it still running?');
    return null;
  }
}

// Drawing.

function drawStatus() {
  const { state, done, total } = store.status;
  const running = state === 'running';
  const waits = running && done === 0;
  $('predict-text').textContent = waits ? 'Preparing …' : running ? `Stop · ${done} of ${total}` : 'Predict';
  $('predict-bar').style.width = running ? `${(100 * done) / Math.max(total, 1)}%` : '0';
  $('predict').classList.toggle('running', running);
  const texts = { saved: Object.keys(store.pictures).length ? 'Saved' : '', saving: 'Saving …', failed: 'Not saved: no connection', foreign: 'This page is of another folder: reload' };
  $('saved').textContent = texts[store.saved];
  $('saved').classList.toggle('failed', ['failed', 'foreign'].includes(store.saved));
}

function drawPicture() {
  stage.draw();
  panel.draw();
  drawTools();
}

function drawTools() {
  const { picture } = store;
  for (const button of document.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-pressed', String(button.dataset.tool === stage.currentTool()));
  }
  const point = picture?.points[store.selected];
  const enable = { hide: point, remove: point, undo: store.canUndo, redo: store.canRedo, accept: picture && !picture.error };
  for (const [name, value] of Object.entries(enable)) document.querySelector(`[data-do=${name}]`).disabled = !value;
  document.querySelector('[data-do=hide]').setAttribute('aria-pressed', String(Boolean(point?.hidden)));
  $('shot').setAttribute('aria-pressed', String(Boolean(picture?.checked && picture?.shot)));
  $('shot').disabled = !Object.keys(picture?.points || {}).length;
  const names = list.order();
  $('where').textContent = store.current ? `${names.indexOf(store.current) + 1} of ${names.length}` : '';
  $('where').title = store.current || '';
}

function drawAll() {
  const names = list.order();
  $('start').hidden = names.length > 0;
  document.body.classList.toggle('empty', !names.length);
  if (!store.picture && names.length) store.current = names[0];
  follow();
  list.draw();
  stage.show();
  panel.draw();
  drawTools();
  drawStatus();
}

// Beginning.

async function start() {
  const found = await attempt(store.load());
  if (!found) return;
  document.title = `${found.title} · FMMP`;
  $('title').textContent = found.title;
  $('folder').textContent = found.title;
  const formats = Object.entries(found.formats).map(([name, text], number) => choice(name, text, number === 0));
  if (!$('formats').children.length) $('formats').append(...formats);
  if (!$('examples').children.length) $('examples').append(...found.examples.map(exampleButton));
}

function choice(name, text, checked) {
  const label = document.createElement('label');
  const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'format', value: name, checked });
  const [title, ...rest] = text.split(', ');
  const strong = document.createElement('b');
  strong.textContent = title;
  const small = document.createElement('small');
  small.textContent = rest.join(', ');
  label.append(input, strong, small);
  return label;
}

function exampleButton(name) {
  const button = document.createElement('button');
  const picture = Object.assign(new Image(), { src: api.examplePicture(name), alt: '' });
  button.append(picture, name[0].toUpperCase() + name.slice(1));
  button.addEventListener('click', () => example(name));
  return button;
}

const frames = new Set();
function soon(drawing) {
  return () => {
    if (!frames.size) {
      requestAnimationFrame(() => {
        const wanted = [...frames];
        frames.clear();
        for (const one of wanted.includes(drawAll) ? [drawAll] : wanted) one();
      });
    }
    frames.add(drawing);
  };
}

store.addEventListener('all', soon(drawAll));
store.addEventListener('picture', soon(drawPicture));
store.addEventListener('saved', drawStatus);
store.addEventListener('message', ({ detail }) => say(detail));
keys.listen((name, ...rest) => acts[name](...rest));
keys.describe($('keys'));

for (const button of document.querySelectorAll('[data-do]')) {
  button.addEventListener('click', () => acts[button.dataset.do]());
}
for (const button of document.querySelectorAll('[data-tool]')) {
  button.addEventListener('click', () => acts.tool(button.dataset.tool));
}
for (const box of document.querySelectorAll('[data-show]')) {
  box.addEventListener('change', () => {
    stage.shown[box.dataset.show] = box.checked;
    drawPicture();
  });
}
$('predict').addEventListener('click', () => predict());
$('open-export').addEventListener('click', openExport);
$('open-help').addEventListener('click', acts.help);
$('download').addEventListener('click', download);
for (const [button, input] of [['choose-files', 'files'], ['open-add', 'files'], ['choose-folder', 'directory']]) {
  $(button).addEventListener('click', () => $(input).click());
}
for (const input of [$('files'), $('directory')]) {
  input.addEventListener('change', () => {
    add(input.files);
    input.value = '';
  });
}
addEventListener('dragover', (event) => {
  event.preventDefault();
  $('drop').hidden = false;
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) $('drop').hidden = true;
});
addEventListener('drop', async (event) => {
  event.preventDefault();
  $('drop').hidden = true;
  add(await filesOf(event.dataTransfer));
});
addEventListener('pagehide', () => store.send(true));

await start();
store.follow();
