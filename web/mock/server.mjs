// A gateway of cardboard for working on the console: the API's shapes from memory, no desktops, no WebRTC.
// node mock/server.mjs [port]   (sign in as admin / vitrine; any other password is wrong)
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { events, me, newId, seed, targets } from './data.mjs';
import { makeRecording } from './fmp4.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const mimes = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.md': 'text/plain; charset=utf-8',
};
/** The policy the gateway sends as well. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const born = Date.now();
const { sessions, recordings } = seed(born);
const media = makeRecording();
const log = events();
const idle = [{ start_ms: 9100, end_ms: 21_000 }];

class Refusal extends Error {
  constructor(status, code, title, detail) {
    super(detail);
    this.body = { type: 'about:blank', status, code, title, detail, instance: 'req-mock' };
  }
}

const find = (id) => {
  const session = sessions.find((s) => s.id === id);
  if (!session) throw new Refusal(404, 'session_not_found', 'No such session', `There is no session ${id}.`);
  return session;
};

/** When each running recording was first asked for. */
const births = new Map();

/** The words of a search. */
const words = (query) => (query.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);

/** The index as of now: recordings that run grow in real time, from 20 s when they are first asked for. */
function indexOf(session) {
  const total = media.segments.at(-1).start_ms + media.segments.at(-1).duration_ms;
  const running = session.state !== 'ended';
  if (!births.has(session.id)) births.set(session.id, Date.now());
  const duration = running ? Math.min(total, 20_000 + Date.now() - births.get(session.id)) : total;
  const segments = media.segments
    .filter((s) => s.start_ms < duration)
    .map((s) => (running && s.start_ms + s.duration_ms > duration ? cut(s, duration) : s));
  return {
    started_at: session.started_at,
    duration_ms: duration,
    live: running,
    sealed: !running,
    width: 1280,
    height: 768,
    inits: media.inits.filter((i) => segments.some((s) => s.init === i.name)),
    segments,
    idle: idle
      .filter((i) => i.start_ms < duration)
      .map((i) => ({ ...i, end_ms: Math.min(i.end_ms, duration) })),
  };
}

/** An open segment: as many of its fragments as there are by now. */
function cut(segment, now) {
  const whole = media.files.get(segment.name);
  const part = Math.min(1, (now - segment.start_ms) / segment.duration_ms);
  let bytes = 0;
  for (let at = 0; at < whole.length;) {
    const moof = whole.readUInt32BE(at);
    const end = at + moof + whole.readUInt32BE(at + moof);
    if (bytes > 0 && end > part * whole.length) break;
    bytes = end;
    at = end;
  }
  return { ...segment, bytes, duration_ms: now - segment.start_ms, open: true };
}

const routes = [
  ['GET', '/sign-in', () => ({ providers: [], passkeys: false })],
  [
    'POST',
    '/sign-in',
    ({ body, response }) => {
      if (body.username !== 'admin' || body.password !== 'vitrine') {
        throw new Refusal(
          401,
          'wrong_credentials',
          'Signing in failed',
          'The user name or the password is wrong.',
        );
      }
      response.setHeader('Set-Cookie', 'vitrine_session=mock; Path=/; HttpOnly; SameSite=Strict');
      return me;
    },
  ],
  [
    'POST',
    '/sign-out',
    ({ response }) => {
      response.setHeader('Set-Cookie', 'vitrine_session=; Path=/; Max-Age=0');
      return null;
    },
  ],
  ['GET', '/me', () => me],
  ['GET', '/me/factors', () => ({ passkeys: [], recovery_codes: 0, required: false, available: ['totp'] })],
  [
    'GET',
    '/notifications/stream',
    ({ response }) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('event: standing\ndata: {"unread": 0, "newest": ""}\n\n');
    },
  ],
  ['GET', '/notifications', () => ({ notifications: [], unread: 0 })],
  ['GET', '/notifications/settings', () => ({ email: true, available: false })],
  ['GET', '/access-requests', () => ({ requests: [] })],
  ['GET', '/access-grants', () => ({ grants: [] })],
  [
    'GET',
    '/targets',
    ({ query }) => {
      const words = (query.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
      const text = (t) => [t.id, t.name, t.description, t.address, ...t.tags].join('\n').toLowerCase();
      return {
        targets: targets.filter(
          (t) =>
            words.every((word) => text(t).includes(word)) &&
            query.getAll('tag').every((tag) => t.tags.includes(tag)),
        ),
      };
    },
  ],
  [
    'DELETE',
    '/targets/:id/certificate',
    ({ id }) => {
      const target = targets.find((t) => t.id === id);
      if (!target?.certificate?.fingerprint) {
        throw new Refusal(
          404,
          'certificate_not_found',
          'Not found',
          'No certificate is remembered for this target.',
        );
      }
      target.certificate = { trust: 'first_use' };
      return null;
    },
  ],
  [
    'GET',
    '/sessions',
    ({ query }) => {
      const state = query.get('state') ?? 'running';
      const running = (s) => s.state !== 'ended';
      return { sessions: sessions.filter((s) => state === 'all' || running(s) === (state === 'running')) };
    },
  ],
  [
    'POST',
    '/sessions',
    async ({ body }) => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const target = targets.find((t) => t.id === body.target_id);
      if (!target) throw new Refusal(404, 'target_not_found', 'No such target', 'There is no such target.');
      if (target.id === 'ca') {
        throw new Refusal(
          502,
          'target_certificate',
          'The target’s certificate was not accepted',
          'Its SHA-256 fingerprint differs from the pinned one.',
        );
      }
      const { id, name, protocol } = target;
      const session = {
        id: newId(),
        state: 'active',
        user: { id: me.id, name: me.username },
        target: { id, name, protocol },
        started_at: new Date().toISOString(),
        viewers: [],
        width: 1280,
        height: 720,
      };
      sessions.unshift(session);
      return [201, session];
    },
  ],
  ['GET', '/sessions/:id', ({ id }) => find(id)],
  [
    'POST',
    '/sessions/:id/terminate',
    ({ id }) => {
      const session = find(id);
      Object.assign(session, {
        state: 'ended',
        ended_at: new Date().toISOString(),
        viewers: [],
        end: { code: 'terminated', message: 'Terminated by admin.' },
      });
      return null;
    },
  ],
  [
    'GET',
    '/sessions/:id/ice-servers',
    ({ id }) => find(id) && { ice_servers: [], ice_transport_policy: 'all' },
  ],
  [
    'POST',
    '/sessions/:id/whep',
    ({ id }) => {
      if (find(id).state === 'ended')
        throw new Refusal(409, 'session_ended', 'The session has ended', 'It has ended.');
      throw new Refusal(503, 'mock', 'The mock has no desktops', 'Start the real gateway to see one.');
    },
  ],
  [
    'GET',
    '/recordings',
    ({ query }) => ({
      recordings: recordings.filter(
        (r) =>
          !query.get('before') &&
          (query.get('review') ?? 'to_do') === 'to_do' &&
          words(query).every((word) => JSON.stringify(r.session).toLowerCase().includes(word)),
      ),
    }),
  ],
  ['GET', '/recordings/search', () => ({ found: [] })],
  ['GET', '/recordings/:id/search', () => ({ hits: [] })],
  ['GET', '/recordings/:id/notes', () => ({ notes: [] })],
  ['GET', '/recordings/:id/review', () => ({ state: 'to_do', history: [] })],
  [
    'GET',
    '/recordings/:id/timeline',
    ({ id }) => {
      const { duration_ms } = indexOf(find(id));
      const seconds = Math.floor(duration_ms / 1000) + 1;
      const each = (kind) =>
        Array.from(
          { length: seconds },
          (_, s) => log.filter((e) => e.kind === kind && Math.floor(e.t_us / 1e6) === s).length,
        );
      const markers = log
        .filter((e) => ['clipboard', 'resize'].includes(e.kind) && e.t_us <= duration_ms * 1000)
        .map((e) => ({ t_ms: e.t_us / 1000, kind: e.kind, actor: e.actor, text: e.text ?? '' }));
      const picture = Array.from({ length: seconds }, (_, s) => 2000 + 1000 * (s % 5));
      return {
        bucket_ms: 1000,
        duration_ms,
        keys: each('key'),
        pointer: each('pointer'),
        picture,
        markers,
        left_out: false,
      };
    },
  ],
  [
    'GET',
    '/recordings/:id',
    ({ id }) => {
      const found = recordings.find((r) => r.session.id === id);
      if (!found)
        throw new Refusal(404, 'recording_not_found', 'No such recording', 'There is no such recording.');
      return found;
    },
  ],
  ['GET', '/recordings/:id/index', ({ id }) => indexOf(find(id))],
  [
    'GET',
    '/recordings/:id/events',
    ({ id, query }) => {
      const after = Number(query.get('after') ?? 0);
      const until = indexOf(find(id)).duration_ms * 1000;
      const page = log
        .filter((e) => e.t_us <= until)
        .slice(after, after + Number(query.get('limit') ?? 1000));
      return { events: page, next: String(after + page.length), more: false };
    },
  ],
  [
    'POST',
    '/recordings/:id/verify',
    async ({ id }) => {
      await new Promise((resolve) => setTimeout(resolve, 900));
      const broken = find(id).target.id === 'hist';
      return broken
        ? {
            ok: false,
            files: 1412,
            bytes: 118_400_120,
            problem: 'seg-000211.m4s: SHA-256 differs from the manifest',
          }
        : { ok: true, files: 41, bytes: 2_512_334, sealed_by: 'worker' };
    },
  ],
  [
    'GET',
    '/recordings/:id/files/:file',
    ({ id, file, response }) => {
      const index = indexOf(find(id));
      const segment = index.segments.find((s) => s.name === file);
      let bytes = media.files.get(file);
      if (!bytes)
        throw new Refusal(404, 'file_not_found', 'No such file', `${file} is not part of the recording.`);
      if (segment?.open) bytes = bytes.subarray(0, segment.bytes);
      // The failed recording has a broken segment.
      if (find(id).target.id === 'ca' && file === 'seg-000003.m4s') bytes = Buffer.alloc(bytes.length, 0x5a);
      response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length });
      response.end(bytes);
      return undefined;
    },
  ],
].map(([method, path, handle]) => [
  method,
  new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`),
  handle,
]);

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return request.headers['content-type']?.includes('json') && text ? JSON.parse(text) : text;
}

async function serveApi(request, response, url) {
  const path = url.pathname.slice('/api/v1'.length);
  const signedIn = request.headers.cookie?.includes('vitrine_session=mock');
  if (!signedIn && path !== '/sign-in') {
    throw new Refusal(401, 'unauthenticated', 'Sign in first', 'The sign-in has expired or was never there.');
  }
  for (const [method, pattern, handle] of routes) {
    const match = pattern.exec(path);
    if (!match || method !== request.method) continue;
    const answer = await handle({
      ...match.groups,
      body: await readBody(request),
      query: url.searchParams,
      response,
    });
    if (answer === undefined) return;
    const [status, body] = Array.isArray(answer) ? answer : [answer === null ? 204 : 200, answer];
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(body === null ? undefined : JSON.stringify(body));
    return;
  }
  throw new Refusal(404, 'not_found', 'Not found', `${request.method} ${path} is not part of the API.`);
}

function serveFile(response, url) {
  const wanted = join(dist, normalize(url.pathname));
  const file =
    wanted.startsWith(dist) && existsSync(wanted) && statSync(wanted).isFile()
      ? wanted
      : join(dist, 'index.html');
  response.writeHead(200, {
    'Content-Type': mimes[extname(file)] ?? 'application/octet-stream',
    'Content-Security-Policy': policy,
  });
  createReadStream(file).pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://mock');
  if (!url.pathname.startsWith('/api/')) {
    serveFile(response, url);
    return;
  }
  serveApi(request, response, url).catch((error) => {
    const problem =
      error instanceof Refusal
        ? error.body
        : { type: 'about:blank', status: 500, code: 'mock_error', title: String(error) };
    response.writeHead(problem.status, { 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify(problem));
  });
});
server.listen(Number(process.argv[2] ?? 14600), '127.0.0.1', () => {
  process.stdout.write(`mock gateway on http://127.0.0.1:${server.address().port}\n`);
});
