/**
 * What browser and gateway say to each other over the data channels (proxy/webrtcserver/PROTOCOL.md). Nothing
 * here keeps state: messages out are typed, messages in are checked before anybody believes them.
 */

export type Role = 'control' | 'view';

export interface Size {
  width: number;
  height: number;
}

/** A place on a desktop `w`×`h` pixels in size. */
export interface RemotePoint {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Which keys the keyboard has locked. */
export interface Locks {
  caps: boolean;
  num: boolean;
  scroll: boolean;
}

export type InputMessage =
  | { t: 'key'; code: string; key: string; down: boolean }
  | { t: 'text'; text: string }
  | ({ t: 'locks' } & Locks)
  | ({ t: 'button'; buttons: number } & RemotePoint)
  | ({ t: 'wheel'; buttons: number; dx: number; dy: number } & RemotePoint)
  | { t: 'release' }
  | { t: 'combo'; codes: string[] }
  | { t: 'await'; clip: number }
  | MotionMessage;

export type MotionMessage = { t: 'move'; buttons: number; n: number } & RemotePoint;

export interface ClipMessage {
  t: 'clip';
  id: number;
  part: number;
  parts: number;
  text: string;
}

export type ClipboardIncoming = ClipMessage | { t: 'clip_refused'; id: number; message: string };

export type ControlOutgoing =
  | { t: 'ping'; id: number }
  | { t: 'resize'; width: number; height: number }
  | { t: 'seen'; id: string }
  | { t: 'refresh' };

export interface CursorMessage {
  t: 'cursor';
  hidden: boolean;
  hx: number;
  hy: number;
  w: number;
  h: number;
  /** Base64; missing means the browser's own arrow. */
  png?: string;
}

/** Somebody has frozen the session, or lets it go on. */
export interface FreezeMessage {
  t: 'freeze';
  on: boolean;
  /** Empty when a rule of the gateway has. */
  by: string;
  forMs: number;
  /** This viewer goes on seeing the desktop. */
  live: boolean;
  /** A blurred JPEG in base64 for those who do not; empty when there is none. */
  still: string;
}

/** Rules ask somebody why; without an id nothing is asked (any more). */
export interface QuestionMessage {
  t: 'question';
  id: string;
  /** Who is asked. */
  by: string;
  /** At this viewer. */
  mine: boolean;
  rules: { name: string; about: string }[];
  source: string;
  /** What it is about; empty for others, and where typed text is not told. */
  excerpt: string;
  /** An act waits for the answer. */
  held: boolean;
  forMs: number;
  /** Left to answer; 0 when there is no limit. */
  inMs: number;
}

export type SessionState = 'active' | 'frozen' | 'ended';

export type ControlIncoming =
  | {
      t: 'hello';
      viewer: string;
      role: Role;
      session: string;
      width: number;
      height: number;
      name: string;
      resizable: boolean;
      /** Of somebody who watches another's session: whether that person is told. */
      watching: '' | 'announced' | 'silent';
    }
  | CursorMessage
  | { t: 'size'; width: number; height: number }
  | { t: 'role'; role: Role; message: string }
  | { t: 'state'; state: SessionState; code: string; message: string }
  | { t: 'ending'; code: string; message: string; inMs: number }
  | FreezeMessage
  | QuestionMessage
  | { t: 'control'; by: string; forMs: number; mine: boolean }
  | { t: 'message'; id: string; from: string; text: string; forMs: number }
  | { t: 'read'; id: string }
  | { t: 'watchers'; watchers: { name: string; forMs: number }[] }
  | { t: 'bell' }
  | { t: 'name'; name: string }
  | { t: 'notice'; level: 'info' | 'warning' | 'error'; message: string }
  | { t: 'pong'; id: number; fps: number; kbps: number };

/** At most this many bytes of UTF-8 in one `text` message. */
export const maxTextBytes = 4096;

/** A pointer shape is at most this wide and high; larger ones are not shown. */
const maxCursorSide = 512;

const maxSide = 16384;

/** A still is at most 40 KiB; this is its length in base64, with room. */
const maxStillLength = 64 * 1024;
const maxWatchers = 1000;
const maxAskedRules = 16;

type Fields = Record<string, unknown>;

function parse(data: unknown): Fields | null {
  if (typeof data !== 'string') return null;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

const text = (v: unknown): string => (typeof v === 'string' ? v : '');
const isInt = (v: unknown, min: number, max: number): v is number =>
  Number.isInteger(v) && (v as number) >= min && (v as number) <= max;
const isBase64 = (v: string): boolean => /^[A-Za-z0-9+/]+={0,2}$/.test(v);
const isRole = (v: unknown): v is Role => v === 'control' || v === 'view';
const positive = (v: unknown): number => (typeof v === 'number' && Number.isFinite(v) && v > 0 ? v : 0);

/** A message of the `control` channel, or null for what is malformed or unknown. */
export function parseControl(data: unknown): ControlIncoming | null {
  const m = parse(data);
  if (!m) return null;
  switch (m.t) {
    case 'hello': {
      const { role, width, height } = m;
      if (!isRole(role) || !isInt(width, 1, maxSide) || !isInt(height, 1, maxSide)) return null;
      return {
        t: 'hello',
        viewer: text(m.viewer),
        role,
        session: text(m.session),
        width,
        height,
        name: text(m.name),
        resizable: m.resizable === true,
        watching: m.watching === 'announced' || m.watching === 'silent' ? m.watching : '',
      };
    }
    case 'cursor':
      return parseCursor(m);
    case 'size': {
      const { width, height } = m;
      return isInt(width, 1, maxSide) && isInt(height, 1, maxSide) ? { t: 'size', width, height } : null;
    }
    case 'role':
      return isRole(m.role) ? { t: 'role', role: m.role, message: text(m.message) } : null;
    case 'state': {
      const { state } = m;
      if (state !== 'active' && state !== 'frozen' && state !== 'ended') return null;
      return { t: 'state', state, code: text(m.code), message: text(m.message) };
    }
    case 'ending': {
      const inMs = m.in_ms ?? 0;
      if (!isInt(inMs, 0, Number.MAX_SAFE_INTEGER)) return null;
      return { t: 'ending', code: text(m.code), message: text(m.message), inMs };
    }
    case 'freeze':
      return parseFreeze(m);
    case 'question':
      return parseQuestion(m);
    case 'control':
      return { t: 'control', by: text(m.by), forMs: positive(m.for_ms), mine: m.mine === true };
    case 'message':
      if (typeof m.id !== 'string' || m.id === '' || typeof m.text !== 'string') return null;
      return { t: 'message', id: m.id, from: text(m.from), text: m.text, forMs: positive(m.for_ms) };
    case 'read':
      return typeof m.id === 'string' ? { t: 'read', id: m.id } : null;
    case 'watchers':
      return parseWatchers(m);
    case 'bell':
      return { t: 'bell' };
    case 'name':
      return { t: 'name', name: text(m.name) };
    case 'notice': {
      const { level } = m;
      if (level !== 'info' && level !== 'warning' && level !== 'error') return null;
      return { t: 'notice', level, message: text(m.message) };
    }
    case 'pong':
      return isInt(m.id, 0, Number.MAX_SAFE_INTEGER)
        ? { t: 'pong', id: m.id, fps: positive(m.fps), kbps: positive(m.kbps) }
        : null;
    default:
      return null;
  }
}

function parseFreeze(m: Fields): FreezeMessage | null {
  if (typeof m.on !== 'boolean') return null;
  const still = text(m.still);
  // It becomes the address of a picture; what cannot be one is left out, the freeze counts.
  const good = still.length <= maxStillLength && isBase64(still);
  return {
    t: 'freeze',
    on: m.on,
    by: text(m.by),
    forMs: positive(m.for_ms),
    live: m.live === true,
    still: good ? still : '',
  };
}

function parseQuestion(m: Fields): QuestionMessage | null {
  const list = m.rules ?? [];
  if (typeof m.id !== 'string' || !Array.isArray(list) || list.length > maxAskedRules) return null;
  const rules = [];
  for (const r of list as unknown[]) {
    if (typeof r !== 'object' || r === null) return null;
    const { name, about } = r as Fields;
    if (typeof name !== 'string') return null;
    rules.push({ name, about: text(about) });
  }
  return {
    t: 'question',
    id: m.id,
    by: text(m.by),
    mine: m.mine === true,
    rules,
    source: text(m.source),
    excerpt: text(m.excerpt),
    held: m.held === true,
    forMs: positive(m.for_ms),
    inMs: positive(m.in_ms),
  };
}

function parseWatchers(m: Fields): ControlIncoming | null {
  if (!Array.isArray(m.watchers) || m.watchers.length > maxWatchers) return null;
  const watchers = [];
  for (const w of m.watchers as unknown[]) {
    if (typeof w !== 'object' || w === null) return null;
    const { name, for_ms } = w as Fields;
    if (typeof name !== 'string') return null;
    watchers.push({ name, forMs: positive(for_ms) });
  }
  return { t: 'watchers', watchers };
}

function parseCursor(m: Fields): CursorMessage | null {
  const hidden = m.hidden === true;
  const png = m.png;
  if (hidden || png === undefined || png === '') return { t: 'cursor', hidden, hx: 0, hy: 0, w: 0, h: 0 };
  const { w, h, hx, hy } = m;
  if (
    typeof png !== 'string' ||
    !isBase64(png) ||
    !isInt(w, 1, maxCursorSide) ||
    !isInt(h, 1, maxCursorSide) ||
    !isInt(hx, 0, w - 1) ||
    !isInt(hy, 0, h - 1)
  ) {
    return null;
  }
  return { t: 'cursor', hidden, hx, hy, w, h, png };
}

/** A message of the `clipboard` channel, or null for what is malformed or unknown. */
export function parseClipboard(data: unknown): ClipboardIncoming | null {
  const m = parse(data);
  if (!m || !isInt(m.id, 0, Number.MAX_SAFE_INTEGER)) return null;
  const { id, part, parts } = m;
  if (m.t === 'clip_refused') return { t: 'clip_refused', id, message: text(m.message) };
  if (m.t !== 'clip' || !isInt(parts, 1, 4096) || !isInt(part, 0, parts - 1) || typeof m.text !== 'string') {
    return null;
  }
  return { t: 'clip', id, part, parts, text: m.text };
}

/** Cuts text into pieces of at most `limit` bytes of UTF-8, never inside a character. */
export function splitUtf8(value: string, limit: number): string[] {
  const pieces: string[] = [];
  let start = 0;
  let used = 0;
  let at = 0;
  for (const char of value) {
    const point = char.codePointAt(0) ?? 0;
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (used + size > limit) {
      pieces.push(value.slice(start, at));
      start = at;
      used = 0;
    }
    used += size;
    at += char.length;
  }
  if (at > start) pieces.push(value.slice(start));
  return pieces;
}

/** The length of text in bytes of UTF-8. */
export function utf8Length(value: string): number {
  return new TextEncoder().encode(value).length;
}
