// What the server can be asked.

let own; // the project that this page is of: the first that it was told

async function ask(method, path, query = {}, body = undefined, options = {}) {
  const address = `/api/${path}?${new URLSearchParams(query)}`;
  const headers = own ? { 'FMMP-Project': own } : {};
  const answer = await fetch(address, { method, body, headers, ...options });
  if (answer.ok) return answer;
  const { status } = answer;
  const { error } = await answer.json().catch(() => ({}));
  // 401: a server that was started anew has another link; 409: it is another folder's. Both may pass.
  const reason = { answered: true, refused: status !== 401, foreign: status === 409 };
  throw Object.assign(new Error(error || `the server answers ${status}`), reason);
}

async function look(path, query = {}) {
  const found = await (await ask('GET', path, query)).json();
  own ??= found.project;
  return found;
}

export const project = () => look('project');
export const change = async (patch, last = false) =>
  (await ask('PATCH', 'project', {}, JSON.stringify(patch), { keepalive: last })).json();
export const changes = (since, status) => look('changes', { since, status });
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
