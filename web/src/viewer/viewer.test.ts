import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProblemError } from '../api/problem';
import type { PeerEvents } from './peer';
import type { ControlIncoming } from './protocol';
import { Viewer } from './viewer';

/** Connections the viewer made, newest last, and what becomes of their offers. */
const peers: FakePeer[] = [];
let offers: (Error | null)[] = [];

class FakePeer {
  closed: boolean | null = null;
  role = '';
  readonly sent: unknown[] = [];

  constructor(readonly events: PeerEvents) {
    peers.push(this);
  }

  open(_: string, role: string): Promise<void> {
    this.role = role;
    const refusal = offers.shift();
    return refusal ? Promise.reject(refusal) : Promise.resolve();
  }

  close(tell = true): void {
    this.closed ??= tell;
  }

  sendInput(m: unknown): void {
    this.sent.push(m);
  }
  sendMotion = this.sendInput.bind(this);
  sendControl = this.sendInput.bind(this);
  sendClipboard = this.sendInput.bind(this);
  getStats = () => Promise.resolve(new Map());
}

// A getter, because the mock is made before the class.
vi.mock('./peer', () => ({
  get Peer() {
    return FakePeer;
  },
}));

const running = { ended: false, code: '', message: '' };
const hello: ControlIncoming = {
  t: 'hello',
  viewer: 'v',
  role: 'control',
  session: 's',
  width: 800,
  height: 600,
  name: 'desk',
  resizable: true,
  watching: '',
};

let viewer: Viewer;
let probe = () => Promise.resolve(running);
const clips: string[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  peers.length = clips.length = 0;
  offers = [];
  probe = () => Promise.resolve(running);
  viewer = new Viewer('S', 'control', () => probe(), {
    stream: () => undefined,
    cursor: () => undefined,
    clipboard: (text) => clips.push(text),
    bell: () => undefined,
    patch: null,
  });
});

afterEach(() => {
  viewer.stop();
  vi.useRealTimers();
});

const phase = () => viewer.store.get().phase;
const peer = () => peers.at(-1)!;

/** Brings the newest connection up to its first picture. */
async function live() {
  await vi.advanceTimersByTimeAsync(0);
  peer().events.connected();
  peer().events.control(hello);
  viewer.pictureShown();
}

describe('Viewer', () => {
  it('connects step by step', async () => {
    viewer.start();
    expect(phase()).toEqual({ name: 'connecting', step: 1 });
    await vi.advanceTimersByTimeAsync(0);
    peer().events.connected();
    expect(phase()).toEqual({ name: 'connecting', step: 2 });
    peer().events.control(hello);
    expect(viewer.store.get()).toMatchObject({ desktopName: 'desk', size: { width: 800, height: 600 } });
    viewer.pictureShown();
    expect(phase()).toEqual({ name: 'live' });
  });

  it('comes back after a broken connection, in the same role', async () => {
    viewer.start();
    await live();
    peer().events.lost();
    expect(phase()).toMatchObject({ name: 'reconnecting', attempt: 1 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(peers).toHaveLength(2);
    await live();
    expect(phase()).toEqual({ name: 'live' });
    expect(peers.map((p) => p.role)).toEqual(['control', 'control']);
  });

  it('keeps trying while the gateway is busy or away, and waits longer each time', async () => {
    const busy = new ProblemError({ type: '', title: 'busy', status: 503, code: 'busy' });
    offers = [busy, new TypeError('Failed to fetch'), busy, null];
    viewer.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(phase()).toEqual({ name: 'reconnecting', attempt: 1, error: busy });
    await vi.advanceTimersByTimeAsync(5000);
    expect(peers).toHaveLength(4);
    await live();
    expect(phase()).toEqual({ name: 'live' });
  });

  it('stops at a refusal that is final', async () => {
    const refusal = new ProblemError({ type: '', title: 'no', status: 403, code: 'forbidden' });
    offers = [refusal];
    viewer.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(phase()).toEqual({ name: 'refused', error: refusal });
    expect(peers).toHaveLength(1);
  });

  it('says how the session ended rather than that the offer was refused', async () => {
    offers = [new ProblemError({ type: '', title: 'gone', status: 404, code: 'session_not_found' })];
    probe = () => Promise.resolve({ ended: true, code: 'target_gone', message: 'It went away.' });
    viewer.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(phase()).toEqual({ name: 'ended', code: 'target_gone', message: 'It went away.' });
  });

  it('does not try to come back to a session that ended meanwhile', async () => {
    viewer.start();
    await live();
    probe = () => Promise.resolve({ ended: true, code: 'c', message: 'm' });
    peer().events.lost();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(phase()).toMatchObject({ name: 'ended' });
    expect(peers).toHaveLength(1);
  });

  it('takes four unanswered pings for a lost connection', async () => {
    viewer.start();
    await live();
    await vi.advanceTimersByTimeAsync(3000);
    expect(phase()).toEqual({ name: 'live' });
    peer().events.control({ t: 'pong', id: 3, fps: 0, kbps: 0 });
    await vi.advanceTimersByTimeAsync(4000);
    expect(phase()).toEqual({ name: 'live' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(phase()).toMatchObject({ name: 'reconnecting' });
    expect(peers[0]?.closed).toBe(true);
  });

  it('passes nothing on while frozen, and goes on afterwards', async () => {
    viewer.start();
    await live();
    peer().events.control({ t: 'state', state: 'frozen', code: 'c', message: 'disk full' });
    expect(phase()).toEqual({ name: 'frozen', code: 'c', message: 'disk full' });
    viewer.sendInput({ t: 'release' });
    expect(peer().sent).toEqual([]);
    peer().events.control({ t: 'state', state: 'active', code: '', message: '' });
    viewer.sendInput({ t: 'release' });
    expect(peer().sent).toEqual([{ t: 'release' }]);
  });

  const freeze = (live: boolean, on = true): ControlIncoming => ({
    t: 'freeze',
    on,
    by: on ? 'carol' : '',
    forMs: 0,
    live,
    still: 'AAAA',
  });
  const state = (state: 'frozen' | 'active', message = '', code = ''): ControlIncoming => ({
    t: 'state',
    state,
    code,
    message,
  });

  it.each([
    ['the freeze first', [freeze(false), state('frozen', 'a look', 'frozen')]],
    ['the state first', [state('frozen', 'a look', 'frozen'), freeze(false)]],
  ])('stops for the person of a frozen session and says why, %s', async (_, messages) => {
    viewer.start();
    await live();
    for (const m of messages) peer().events.control(m);
    expect(phase()).toEqual({ name: 'frozen', code: 'frozen', message: 'a look' });
    expect(viewer.store.get().freeze).toMatchObject({ by: 'carol', reason: 'a look', still: 'AAAA' });
    viewer.sendInput({ t: 'release' });
    expect(peer().sent).toEqual([]);
    peer().events.control(state('active'));
    peer().events.control(freeze(false, false));
    expect(phase()).toEqual({ name: 'live' });
    expect(viewer.store.get().freeze).toBeNull();
  });

  it('goes on for a supervisor while frozen, but not without the desktop', async () => {
    viewer.start();
    await live();
    peer().events.control(freeze(true));
    peer().events.control(state('frozen', 'a look', 'frozen'));
    expect(phase()).toEqual({ name: 'live' });
    viewer.sendInput({ t: 'release' });
    expect(peer().sent).toHaveLength(1);
    peer().events.control(state('frozen', 'gone', 'target_reconnecting'));
    expect(phase()).toMatchObject({ name: 'frozen', code: 'target_reconnecting' });
    peer().events.control(state('frozen', 'a look', 'frozen'));
    expect(phase()).toEqual({ name: 'live' });
    expect(viewer.store.get().freeze?.reason).toBe('a look');
  });

  it('asks for control again after a take-over broke its connection, a supervisor never', async () => {
    viewer.start();
    await live();
    peer().events.control({ t: 'role', role: 'view', message: 'carol has taken over.' });
    peer().events.control({ t: 'control', by: 'carol', forMs: 0, mine: false });
    peer().events.lost();
    await vi.advanceTimersByTimeAsync(1000);
    expect(peer().role).toBe('control');
    viewer.stop();

    viewer = new Viewer('S', 'view', () => probe(), {
      stream: () => undefined,
      cursor: () => undefined,
      clipboard: () => undefined,
      bell: () => undefined,
      patch: null,
    });
    viewer.start();
    await vi.advanceTimersByTimeAsync(0);
    peer().events.control({ ...hello, role: 'view', watching: 'silent' });
    viewer.pictureShown();
    peer().events.control({ t: 'role', role: 'control', message: '' });
    peer().events.control({ t: 'control', by: 'carol', forMs: 0, mine: true });
    expect(viewer.store.get().over).toMatchObject({ by: 'carol', mine: true });
    expect(viewer.inControl).toBe(true);
    peer().events.lost();
    await vi.advanceTimersByTimeAsync(1000);
    expect(peer().role).toBe('view');
  });

  it('keeps messages until they are read, here or elsewhere', async () => {
    viewer.start();
    await live();
    const say = (id: string): ControlIncoming => ({ t: 'message', id, from: 'carol', text: id, forMs: 5 });
    for (const id of ['1', '2', '1', '3']) peer().events.control(say(id));
    const ids = () => viewer.store.get().messages.map((m) => m.id);
    expect(ids()).toEqual(['2', '1', '3']);
    viewer.acknowledge('2');
    expect(peer().sent).toEqual([{ t: 'seen', id: '2' }]);
    peer().events.control({ t: 'read', id: '1' });
    expect(ids()).toEqual(['3']);
    peer().events.control(hello); // what is unread is said again after a greeting
    expect(ids()).toEqual([]);
  });

  it('ends with the session and does not end the viewer a second time', async () => {
    viewer.start();
    await live();
    peer().events.control({ t: 'state', state: 'ended', code: 'user_terminated', message: 'over' });
    expect(phase()).toEqual({ name: 'ended', code: 'user_terminated', message: 'over' });
    expect(peer().closed).toBe(false);
  });

  it('passes no input on as a viewer, and can take control', async () => {
    viewer.start();
    await live();
    peer().events.control({ t: 'role', role: 'view', message: 'taken over elsewhere' });
    viewer.sendInput({ t: 'release' });
    viewer.sendClipboard('secret');
    expect(viewer.requestSize({ width: 1, height: 1 })).toBe(false);
    expect(peer().sent).toEqual([]);
    viewer.takeControl();
    expect(peers).toHaveLength(2);
    expect(peer().role).toBe('control');
    expect(viewer.store.get().roleMessage).toBe('');
  });

  it('comes back as a viewer when control was taken away', async () => {
    viewer.start();
    await live();
    peer().events.control({ t: 'role', role: 'view', message: '' });
    peer().events.lost();
    await vi.advanceTimersByTimeAsync(1000);
    expect(peer().role).toBe('view');
  });

  it('numbers motion, so that the gateway can drop what is late', async () => {
    viewer.start();
    await live();
    for (const x of [1, 2]) viewer.sendMotion({ x, y: 0, w: 9, h: 9, buttons: 0 });
    viewer.restMotion({ x: 2, y: 0, w: 9, h: 9, buttons: 0 });
    expect(peer().sent).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3, x: 2 }]);
  });

  it('hands over a clipboard text when its last part came', async () => {
    viewer.start();
    await live();
    peer().events.clipboard({ t: 'clip', id: 1, part: 0, parts: 2, text: 'a' });
    expect(clips).toEqual([]);
    peer().events.clipboard({ t: 'clip', id: 1, part: 1, parts: 2, text: 'b' });
    expect(clips).toEqual(['ab']);
    expect(viewer.store.get().clipboard).toBe('ab');
  });

  it('shows notices for a while, each once', async () => {
    viewer.start();
    await live();
    for (let i = 0; i < 3; i++) peer().events.control({ t: 'notice', level: 'info', message: 'same' });
    expect(viewer.store.get().notices).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(9000);
    expect(viewer.store.get().notices).toHaveLength(0);
  });

  it('says when what was typed is not sent', async () => {
    viewer.start();
    await live();
    peer().events.inputLost();
    expect(viewer.store.get().notices).toMatchObject([{ level: 'warning' }]);
  });

  it('lets go of everything when it stops', async () => {
    viewer.start();
    await live();
    viewer.stop();
    expect(peer().closed).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peers).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
