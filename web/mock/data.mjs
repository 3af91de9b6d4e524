// What the mock gateway shows: people, targets, sessions in every state.
const minute = 60_000;

export const me = {
  id: 'u1',
  username: 'admin',
  permissions: ['connect', 'view_live', 'terminate', 'replay', 'export', 'manage_targets'],
};

const desktops = [
  {
    id: 'demo',
    name: 'Demo desktop',
    protocol: 'vnc',
    address: '127.0.0.1:5900',
    description: 'A drawn desktop to click and type in.',
    tags: ['demo', 'loopback'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: { trust: 'none' },
  },
  {
    id: 'hist',
    name: 'Historian 02',
    protocol: 'vnc',
    address: '10.20.4.17:5901',
    description: 'Process data of the east plant. Changes only in the maintenance window.',
    tags: ['plant-east', 'production'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: { trust: 'verify' },
  },
  {
    id: 'eng',
    name: 'Engineering workstation',
    protocol: 'vnc',
    address: '10.20.4.31:5900',
    tags: ['plant-east'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: { trust: 'verify' },
  },
  {
    id: 'ca',
    name: 'Offline CA',
    protocol: 'vnc',
    address: 'ca.vault.example:5900',
    description: 'Certificate authority. TLS pinned.',
    tags: ['production', 'vault'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: { trust: 'pin', fingerprint: '3f7a90c2'.repeat(8) },
  },
  {
    id: 'acc',
    name: 'Accounting',
    protocol: 'rdp',
    address: 'accounting.example.com:3389',
    description: 'Windows Server, signed in by network level authentication.',
    tags: ['windows', 'production'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: {
      trust: 'first_use',
      fingerprint: 'ab12cd34ef56a789'.repeat(4),
      first_seen: '2026-03-01T10:00:00Z',
    },
  },
  {
    id: 'jump',
    name: 'Jump host',
    protocol: 'rdp',
    address: 'jump.example.com:3389',
    tags: ['linux'],
    accounts: [{ id: 'a', name: 'default', tags: [], connect: true }],
    certificate: { trust: 'first_use' },
  },
];

/** Each with the one account that targets of the configuration have. */
export const targets = desktops.map((target, i) => ({
  ...target,
  accounts: [{ id: `01JA000000000000000000000${i}`, name: 'default', tags: [], connect: true }],
  origin: 'config',
  revision: 1,
}));

const person = (id, name) => ({ id, name });
const admin = person('u1', 'admin');
const alice = person('u2', 'alice.meyer');
const bob = person('u3', 'bob.okafor');
const target = (id) => {
  const { name, protocol } = targets.find((t) => t.id === id);
  return { id, name, protocol };
};

let counter = 0;
export const newId = () => `01JZ${String(++counter).padStart(22, '0')}`;

function session(now, minutesAgo, targetId, user, rest) {
  return {
    id: newId(),
    state: 'ended',
    user,
    target: target(targetId),
    client_address: '192.0.2.14',
    started_at: new Date(now - minutesAgo * minute).toISOString(),
    viewers: [],
    width: 1280,
    height: 720,
    ...rest,
  };
}

export function seed(now) {
  const ended = (minutes, code, message, ago) => ({
    ended_at: new Date(now - (ago - minutes) * minute).toISOString(),
    end: { code, message },
  });
  const viewer = (id, who, role) => ({ id, person: who, role, address: '192.0.2.14' });
  const sessions = [
    session(now, 2, 'demo', alice, {
      state: 'active',
      viewers: [viewer('v1', alice, 'control'), viewer('v2', bob, 'view')],
      frame_rate: 12.4,
      bitrate: 812_000,
    }),
    session(now, 47, 'hist', bob, { state: 'active', width: 1920, height: 1080 }),
    session(now, 4, 'ca', admin, { state: 'frozen', viewers: [viewer('v3', admin, 'control')] }),
    session(now, 130, 'demo', admin, ended(1.3, 'user_disconnected', 'Ended by admin.', 130)),
    session(now, 260, 'eng', alice, ended(42, 'target_gone', 'The target closed the connection.', 260)),
    session(
      now,
      1500,
      'hist',
      bob,
      ended(128, 'terminated', 'Terminated by admin: end of the window.', 1500),
    ),
    session(now, 4200, 'ca', alice, ended(17, 'recording_failed', 'The spool is full: 0 bytes left.', 4200)),
  ];
  const recording = (s, state, bytes, durationMs, rest = {}) => ({
    session: s,
    state,
    bytes,
    duration_ms: durationMs,
    ...rest,
  });
  const recordings = [
    recording(sessions[0], 'recording', 1_412_000, 78_000),
    recording(sessions[1], 'recording', 18_412_000, 47 * minute),
    recording(sessions[2], 'recording', 812_000, 4 * minute),
    recording(sessions[3], 'sealed', 2_512_334, 78_000, { sealed_by: 'worker' }),
    recording(sessions[4], 'uploading', 41_800_211, 42 * minute, {
      pending_files: 7,
      error: 'The store does not answer: connection refused. Trying again every 30 s.',
    }),
    recording(sessions[5], 'sealed', 118_400_120, 128 * minute, { sealed_by: 'recovery' }),
    recording(sessions[6], 'failed', 9_220_000, 17 * minute, { error: 'The spool is full: 0 bytes left.' }),
  ];
  return { sessions, recordings };
}

/** An event log like that of a short working session. */
export function events() {
  const list = [];
  const add = (ms, kind, rest = {}) => list.push({ t_us: ms * 1000, kind, actor: 'alice.meyer', ...rest });
  const type = (at, text) => {
    for (const [i, char] of [...text].entries()) {
      const key = char === '\n' ? 'Return' : char;
      add(at + i * 120, 'key', { keysym: char.codePointAt(0), key, down: true });
      add(at + i * 120 + 60, 'key', { keysym: char.codePointAt(0), key, down: false });
    }
  };
  add(0, 'state', { state: 'connecting' });
  add(400, 'state', { state: 'active' });
  add(900, 'viewer_join', { viewer: 'v1', role: 'control', address: '192.0.2.14' });
  add(1800, 'pointer', { x: 412, y: 220, buttons: 1, action: 'down' });
  add(1900, 'pointer', { x: 412, y: 220, buttons: 0, action: 'up' });
  type(2600, 'systemctl status historian\n');
  type(7200, 'journalctl -u historian --since today\n');
  add(22_000, 'wheel', { x: 600, y: 400, dx: 0, dy: 3 });
  add(24_300, 'clipboard', {
    direction: 'from_target',
    bytes: 41,
    text: 'ERR 0x17 valve controller did not respond',
  });
  add(26_000, 'viewer_join', { viewer: 'v2', role: 'view', address: '192.0.2.20', actor: 'bob.okafor' });
  add(29_500, 'key', { keysym: 0xffe3, key: 'Control_L', down: true });
  add(29_700, 'key', { keysym: 0x63, key: 'c', down: true });
  add(29_800, 'key', { keysym: 0x63, key: 'c', down: false });
  add(29_900, 'key', { keysym: 0xffe3, key: 'Control_L', down: false });
  type(33_000, 'sudo systemctl restart historian\n');
  add(48_000, 'resize', { width: 1024, height: 768 });
  add(52_000, 'clipboard', { direction: 'to_target', bytes: 19, text: 'historian-config.v2' });
  add(55_000, 'text', { text: '値を確認' });
  add(60_000, 'rejected', { what: 'clipboard', message: 'larger than 1 MiB', count: 2 });
  add(70_000, 'viewer_leave', { viewer: 'v2', role: 'view', reason: 'closed', actor: 'bob.okafor' });
  add(77_900, 'state', { state: 'ended', reason: 'user_disconnected', message: 'Ended by alice.meyer.' });
  return list.sort((a, b) => a.t_us - b.t_us);
}
