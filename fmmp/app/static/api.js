// What the server can be asked.

async function ask(method, path, query = {}, body = undefined, options = {}) {
  const address = `/api/${path}?${new URLSearchParams(query)}`;
  const answer = await fetch(address, { method, body, ...options });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(error || `the server answers ${answer.status}`), { refused: true });
}

export const project = async () => (await ask('GET', 'project')).json();
export const change = async (patch, last = false) =>
  (await ask('PATCH', 'project', {}, JSON.stringify(patch), { keepalive: last })).json();
export const changes = async (since, status) => (await ask('GET', 'changes', { since, status })).json();
export const upload = async (file) => (await ask('PUT', 'pictures', { name: file.name }, file)).json();
export const predict = async (first) => (await ask('PUT', 'prediction', first ? { first } : {})).json();
export const stop = async () => (await ask('DELETE', 'prediction')).json();
export const example = async (name) => (await ask('PUT', 'example', { name })).json();
export const samples = async (name) => (await ask('GET', 'samples', { name })).json();
export const exported = async (format, predicted) =>
  ask('GET', 'export', { format, predicted: predicted ? '1' : '0' });

export const pixels = (name, picture, size) =>
  `/api/picture?${new URLSearchParams({ name, size, version: picture.version })}`;
export const examplePicture = (name) => `/api/example?${new URLSearchParams({ name })}`;
