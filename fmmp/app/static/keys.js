// The keyboard.

const KEYS = [
  ['P', 'Predict all pictures that are not checked'],
  ['Enter', 'The keypoints are right: to the next picture'],
  ['← →', 'Previous and next picture; with a keypoint selected, move it'],
  ['Page ↑ ↓', 'Previous and next picture'],
  ['Tab', 'Next keypoint; Shift+Tab: the one before'],
  ['↑ ↓ ← →', 'Move the selected keypoint; Shift: by ten'],
  ['Space', 'Place a keypoint in the middle of the view'],
  ['N', 'Name the selected keypoint'],
  ['H', 'It is hidden in this picture'],
  ['Delete', 'Take it off this picture'],
  ['V L B', 'Tools: keypoints, links, box'],
  ['E', 'The picture is an example, or no longer'],
  ['Ctrl+Z', 'Undo; Ctrl+Shift+Z: redo'],
  ['+ − 0', 'Zoom in, out, whole picture; the wheel zooms too'],
  ['1 2 3 4 5', 'Show links, names, confidence, refinement, samples'],
  ['X', 'Export'],
  ['Esc', 'Select nothing, end linking'],
];

export function describe(list) {
  for (const [key, text] of KEYS) {
    const term = document.createElement('dt');
    for (const one of key.split(' ')) {
      const cap = document.createElement('kbd');
      cap.textContent = one;
      term.append(cap, ' ');
    }
    const meaning = document.createElement('dd');
    meaning.textContent = text;
    list.append(term, meaning);
  }
}

// Calls `act` with the name of what a key means.
export function listen(act) {
  document.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]') || event.isComposing) return;
    const typing = event.target.matches('input:not([type=checkbox]), select, textarea');
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (typing) return;
    if (command && (key === 'z' || key === 'y')) {
      event.preventDefault();
      act(key === 'y' || event.shiftKey ? 'redo' : 'undo');
      return;
    }
    if (command || event.altKey) return;
    const onButton = event.target.matches('button, [type=checkbox]') && ['Enter', ' ', 'Tab'].includes(event.key);
    if (onButton) return;
    const step = event.shiftKey ? 10 : 1;
    const meanings = {
      p: ['predict'], Enter: ['accept'], n: ['name'], h: ['hide'], Delete: ['remove'], Backspace: ['remove'],
      v: ['tool', 'point'], l: ['link'], b: ['tool', 'box'], e: ['shot'], x: ['export'], '?': ['help'],
      '+': ['zoom-in'], '=': ['zoom-in'], '-': ['zoom-out'], '−': ['zoom-out'], 0: ['fit'], Escape: ['escape'], ' ': ['place'],
      ArrowLeft: ['move', -step, 0], ArrowRight: ['move', step, 0], ArrowUp: ['move', 0, -step], ArrowDown: ['move', 0, step],
      PageUp: ['previous'], PageDown: ['next'],
      1: ['show', 'links'], 2: ['show', 'names'], 3: ['show', 'confidence'], 4: ['show', 'layers'], 5: ['show', 'samples'],
      Tab: event.target.id === 'stage' ? ['cycle', event.shiftKey ? -1 : 1] : null,
    };
    const meaning = meanings[key];
    if (meaning && act(...meaning) !== false) event.preventDefault();
  });
}
