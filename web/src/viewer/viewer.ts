import { ProblemError } from '../api/problem';
import { ClipAssembler, clipMessages, normalizeLines } from './clipboard';
import { Peer } from './peer';
import type {
  ClipboardIncoming,
  ControlIncoming,
  CursorMessage,
  FreezeMessage,
  InputMessage,
  MotionMessage,
  Role,
  SessionState,
  Size,
} from './protocol';
import { FigureMeter, type Figures } from './stats';
import { Store } from './store';

/** Where a viewer is in its life. */
export type Phase =
  /** step: 1 agreeing on the video, 2 waiting for the first picture. */
  | { name: 'connecting'; step: 1 | 2 }
  | { name: 'live' }
  | { name: 'frozen'; code: string; message: string }
  /** error: why the gateway did not take the offer, when it was that. */
  | { name: 'reconnecting'; attempt: number; error: unknown }
  | { name: 'ended'; code: string; message: string }
  /** The gateway said no, and asking again would not help. */
  | { name: 'refused'; error: unknown };

export interface Notice {
  id: number;
  level: 'info' | 'warning' | 'error';
  message: string;
}

export interface ViewerState {
  phase: Phase;
  role: Role;
  /** Why the role is not the one asked for, when the gateway said so. */
  roleMessage: string;
  desktopName: string;
  resizable: boolean;
  /** The target's desktop; null until it is known. */
  size: Size | null;
  figures: Figures;
  notices: Notice[];
  /** Why the session is going to end, and when by the clock of `Date.now`; null when no end is in sight. */
  ending: Ending | null;
  /** What was last copied on the desktop. */
  clipboard: string | null;
  /** This viewer's name at the gateway; empty until it is greeted. */
  viewer: string;
  freeze: Freeze | null;
  /** What rules ask somebody; null when nothing is asked. */
  question: Question | null;
  /** Who has taken over; null when nobody has. */
  over: TakenOver | null;
  /** Texts for the session's own person that nobody has read yet, oldest first. */
  messages: Message[];
  /** Who watches, as far as the session's own person is told. */
  watchers: { name: string; since: number }[];
}

/** A freeze by somebody, or by a rule when `by` is empty. Times are by the clock of `Date.now`. */
export interface Freeze {
  by: string;
  reason: string;
  since: number;
  /** This viewer goes on seeing the desktop; else it shows the still, a JPEG in base64, when there is one. */
  live: boolean;
  still: string;
}

/** A question why. Times are by the clock of `Date.now`. */
export interface Question {
  id: string;
  /** Who is asked, and whether it is at this viewer. */
  by: string;
  mine: boolean;
  rules: { name: string; about: string }[];
  /** What it is about: `typed`, `clipboard`, `title` or `screen`, and the text where it is told. */
  source: string;
  excerpt: string;
  /** An act waits for the answer. */
  held: boolean;
  since: number;
  /** When an answer comes too late; null when never. */
  until: number | null;
}

/** A supervisor who acts instead of the session's own person. */
export interface TakenOver {
  by: string;
  since: number;
  /** It is this viewer. */
  mine: boolean;
}

export interface Message {
  id: string;
  from: string;
  text: string;
  at: number;
}

/** A session's end that is foreseen. */
export interface Ending {
  code: string;
  message: string;
  at: number;
}

/** What the session looks like from the API, asked for when a connection broke. */
export type SessionProbe = () => Promise<{ ended: boolean; code: string; message: string }>;

/** Handlers of what is no state. */
export interface ViewerHandlers {
  stream: (stream: MediaStream) => void;
  cursor: (cursor: CursorMessage) => void;
  clipboard: (text: string) => void;
  bell: () => void;
  /** Messages of the patch lane go to this; null when this browser cannot show them. */
  patch: ((message: ArrayBuffer) => void) | null;
}

/** The code of a freeze while the gateway reaches for the desktop again. */
const linkLost = 'target_reconnecting';

const figuresMs = 1000;
/** So many pings without an answer mean that the connection is gone, whatever the browser still hopes for. */
const maxUnanswered = 4;
const noticeMs = 8000;
const firstRetryMs = 300;
const maxRetryMs = 8000;

/** The wait before another try: doubling, with a bound and a spread so that viewers do not return in step. */
export function retryDelay(attempt: number, random = Math.random()): number {
  return Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(attempt - 1, 10)) * (0.8 + 0.4 * random);
}

/** A refusal that another try may overcome. */
function isTransient(error: unknown): boolean {
  if (error instanceof ProblemError)
    return error.status >= 500 || error.status === 429 || error.status === 409;
  return error instanceof TypeError;
}

/** One desktop in one window: connects, reconnects, and keeps the state people see. */
export class Viewer {
  readonly store: Store<ViewerState>;
  private peer: Peer | null = null;
  private readonly meter = new FigureMeter();
  private clips = new ClipAssembler();
  private nextClip = 1;
  private nextNotice = 1;
  private nextMotion = 1;
  private attempt = 0;
  /** The gateway has greeted this connection, so it answers pings. */
  private greeted = false;
  private ticker: ReturnType<typeof setInterval> | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private readonly noticeTimers = new Set<ReturnType<typeof setTimeout>>();
  private running = false;
  /** This is another person's session: control is never asked for with an offer. */
  private foreign = false;
  /** The message before took control from this viewer; who has it comes next. */
  private yielded = false;
  /** What the session's state says while it is frozen, for whatever reason. */
  private halted: { code: string; message: string } | null = null;

  constructor(
    private readonly session: string,
    private wantedRole: Role,
    private readonly probe: SessionProbe,
    private readonly handlers: ViewerHandlers,
  ) {
    this.store = new Store<ViewerState>({
      phase: { name: 'connecting', step: 1 },
      role: wantedRole,
      roleMessage: '',
      desktopName: '',
      resizable: false,
      size: null,
      figures: { latencyMs: null, fps: 0, bitrate: 0 },
      notices: [],
      ending: null,
      clipboard: null,
      viewer: '',
      freeze: null,
      question: null,
      over: null,
      messages: [],
      watchers: [],
    });
  }

  /** Begins; stop must follow. */
  start(): void {
    this.running = true;
    window.addEventListener('pagehide', this.stop);
    window.addEventListener('online', this.retryNow);
    this.ticker = setInterval(() => void this.tick(), figuresMs);
    this.connect();
  }

  /** Ends the viewer, not the session. */
  readonly stop = (): void => {
    if (!this.running) return;
    this.running = false;
    window.removeEventListener('pagehide', this.stop);
    window.removeEventListener('online', this.retryNow);
    if (this.ticker !== null) clearInterval(this.ticker);
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    for (const timer of this.noticeTimers) clearTimeout(timer);
    this.noticeTimers.clear();
    this.peer?.close();
    this.peer = null;
  };

  /** The first picture of a connection is on the screen. */
  pictureShown(): void {
    const { phase } = this.store.get();
    if (phase.name === 'connecting' || phase.name === 'reconnecting')
      this.store.set({ phase: { name: 'live' } });
    this.attempt = 0;
  }

  /** Does without the patch lane, now and after a reconnection: this browser turned out not to show it. */
  dropPatches(): void {
    this.handlers.patch = null;
    this.peer?.closePatches();
  }

  /** Connects anew, asking for control. */
  takeControl(): void {
    this.wantedRole = 'control';
    this.store.set({ phase: { name: 'connecting', step: 1 }, roleMessage: '' });
    this.connect();
  }

  readonly retryNow = (): void => {
    if (this.store.get().phase.name === 'reconnecting' && this.retryTimer !== null) this.connect();
  };

  get inControl(): boolean {
    const { role, phase } = this.store.get();
    return role === 'control' && phase.name === 'live';
  }

  sendInput(message: InputMessage): void {
    if (this.inControl) this.peer?.sendInput(message);
  }

  sendMotion(message: Omit<MotionMessage, 't' | 'n'>): void {
    if (this.inControl) this.peer?.sendMotion({ t: 'move', ...message, n: this.nextMotion++ });
  }

  /** Says again where the pointer is, where nothing is lost. */
  restMotion(message: Omit<MotionMessage, 't' | 'n'>): void {
    this.sendInput({ t: 'move', ...message, n: this.nextMotion++ });
  }

  /** Sends a clipboard text; throws ClipboardTooLargeError. */
  sendClipboard(text: string): void {
    const messages = clipMessages(this.nextClip++, normalizeLines(text));
    if (this.store.get().role !== 'control') return;
    for (const message of messages) this.peer?.sendClipboard(message);
  }

  /** Asks the target for a desktop size; false when it cannot be asked now. */
  requestSize(size: Size): boolean {
    const { resizable, size: present } = this.store.get();
    if (!this.inControl || !resizable || !this.peer) return false;
    if (present?.width !== size.width || present.height !== size.height) {
      this.peer.sendControl({ t: 'resize', ...size });
    }
    return true;
  }

  /** The person has read a message. */
  acknowledge(id: string): void {
    this.peer?.sendControl({ t: 'seen', id });
    this.forgetMessage(id);
  }

  private forgetMessage(id: string): void {
    this.store.set({ messages: this.store.get().messages.filter((m) => m.id !== id) });
  }

  dismiss(notice: number): void {
    this.store.set({ notices: this.store.get().notices.filter((n) => n.id !== notice) });
  }

  notify(level: Notice['level'], message: string): void {
    const notice = { id: this.nextNotice++, level, message };
    const notices = this.store.get().notices.filter((n) => n.message !== message);
    this.store.set({ notices: [...notices.slice(-3), notice] });
    const timer = setTimeout(() => {
      this.noticeTimers.delete(timer);
      this.dismiss(notice.id);
    }, noticeMs);
    this.noticeTimers.add(timer);
  }

  /** A method, because the answer changes while something is awaited. */
  private isRunning(): boolean {
    return this.running;
  }

  private connect(): void {
    if (!this.isRunning()) return;
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.peer?.close();
    this.meter.reset();
    this.greeted = false;
    this.clips = new ClipAssembler();
    let peer: Peer;
    try {
      peer = new Peer(
        {
          stream: (stream) => this.handlers.stream(stream),
          control: (message) => this.onControl(message),
          clipboard: (message) => this.onClipboard(message),
          patch: (message) => this.handlers.patch?.(message),
          connected: () => this.onConnected(),
          inputLost: () =>
            this.notify(
              'warning',
              'The connection took long to open. What you typed so far was not sent; please type it again.',
            ),
          lost: () => void this.onLost(),
        },
        this.handlers.patch !== null,
      );
    } catch (error) {
      this.store.set({ phase: { name: 'refused', error } });
      return;
    }
    this.peer = peer;
    peer.open(this.session, this.wantedRole).catch((error: unknown) => {
      if (this.peer !== peer || !this.isRunning()) return;
      peer.close();
      this.peer = null;
      if (isTransient(error)) void this.onLost(error);
      else void this.onRefused(error);
    });
  }

  private onConnected(): void {
    if (this.store.get().phase.name === 'connecting')
      this.store.set({ phase: { name: 'connecting', step: 2 } });
  }

  /** A refusal is final, and an ended session is the friendlier way to say why. */
  private async onRefused(error: unknown): Promise<void> {
    try {
      const { ended, code, message } = await this.probe();
      if (!this.isRunning()) return;
      this.store.set({ phase: ended ? { name: 'ended', code, message } : { name: 'refused', error } });
    } catch {
      if (this.isRunning()) this.store.set({ phase: { name: 'refused', error } });
    }
  }

  private async onLost(cause?: unknown): Promise<void> {
    const { phase } = this.store.get();
    if (!this.isRunning() || phase.name === 'ended' || phase.name === 'refused') return;
    this.attempt++;
    this.store.set({ phase: { name: 'reconnecting', attempt: this.attempt, error: cause } });
    const delay = retryDelay(this.attempt);
    try {
      const { ended, code, message } = await this.probe();
      if (!this.isRunning()) return;
      if (ended) {
        this.store.set({ phase: { name: 'ended', code, message } });
        return;
      }
    } catch (error) {
      if (!this.isRunning()) return;
      if (!isTransient(error)) {
        this.store.set({ phase: { name: 'refused', error } });
        return;
      }
    }
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }

  private onControl(m: ControlIncoming): void {
    switch (m.t) {
      case 'hello':
        this.greeted = true;
        this.foreign = m.watching !== '';
        this.halted = null;
        this.store.set({
          role: m.role,
          desktopName: m.name,
          resizable: m.resizable,
          size: { width: m.width, height: m.height },
          viewer: m.viewer,
          // said again after this greeting, if they still hold
          ending: null,
          freeze: null,
          question: null,
          over: null,
          messages: [],
          watchers: [],
        });
        break;
      case 'size':
        this.store.set({ size: { width: m.width, height: m.height } });
        break;
      case 'name':
        this.store.set({ desktopName: m.name });
        break;
      case 'role':
        this.yielded = m.role === 'view' && this.wantedRole === 'control';
        if (!this.foreign) this.wantedRole = m.role;
        this.store.set({ role: m.role, roleMessage: m.message });
        break;
      case 'state':
        this.onState(m.state, m.code, m.message);
        break;
      case 'freeze':
        this.onFreeze(m);
        break;
      case 'question': {
        const { id, by, mine, rules, source, excerpt, held, forMs, inMs } = m;
        const now = Date.now();
        const until = inMs > 0 ? now + inMs : null;
        this.store.set({
          question:
            id === '' ? null : { id, by, mine, rules, source, excerpt, held, since: now - forMs, until },
        });
        break;
      }
      case 'control':
        // Control comes back by itself: whoever had it asks for it again after a broken connection.
        if (this.yielded && m.by !== '') this.wantedRole = 'control';
        this.yielded = false;
        this.store.set({
          over: m.by === '' ? null : { by: m.by, mine: m.mine, since: Date.now() - m.forMs },
        });
        break;
      case 'message': {
        const { id, from, text, forMs } = m;
        const others = this.store.get().messages.filter((known) => known.id !== id);
        this.store.set({ messages: [...others, { id, from, text, at: Date.now() - forMs }] });
        break;
      }
      case 'read':
        this.forgetMessage(m.id);
        break;
      case 'watchers':
        this.store.set({
          watchers: m.watchers.map((w) => ({ name: w.name, since: Date.now() - w.forMs })),
        });
        break;
      case 'ending':
        this.store.set({
          ending: m.code === '' ? null : { code: m.code, message: m.message, at: Date.now() + m.inMs },
        });
        break;
      case 'notice':
        this.notify(m.level, m.message);
        break;
      case 'pong':
        this.meter.ponged(m.id, performance.now());
        break;
      case 'cursor':
        this.handlers.cursor(m);
        break;
      case 'bell':
        this.handlers.bell();
        break;
    }
  }

  private onState(state: SessionState, code: string, message: string): void {
    if (state === 'ended') {
      this.store.set({ phase: { name: 'ended', code, message }, messages: [], question: null });
      this.peer?.close(false);
      this.peer = null;
      return;
    }
    this.halted = state === 'frozen' ? { code, message } : null;
    const { freeze } = this.store.get();
    if (freeze && this.halted && freeze.reason !== message && code !== linkLost)
      this.store.set({ freeze: { ...freeze, reason: message } });
    this.halt();
  }

  private onFreeze({ on, by, live, still, forMs }: FreezeMessage): void {
    const reason = this.halted && this.halted.code !== linkLost ? this.halted.message : '';
    this.store.set({ freeze: on ? { by, reason, live, still, since: Date.now() - forMs } : null });
    this.halt();
  }

  /** Stops the picture, or lets it go on. The two messages about a freeze come in either order. */
  private halt(): void {
    const { phase, freeze } = this.store.get();
    // A supervisor goes on seeing and doing; a broken link to the desktop concerns everybody.
    const stopped = freeze?.live && this.halted?.code !== linkLost ? null : this.halted;
    if (stopped) this.store.set({ phase: { name: 'frozen', ...stopped } });
    else if (freeze && !freeze.live)
      this.store.set({ phase: { name: 'frozen', code: 'frozen', message: freeze.reason } });
    else if (phase.name === 'frozen') this.store.set({ phase: { name: 'live' } });
  }

  private onClipboard(m: ClipboardIncoming): void {
    if (m.t === 'clip_refused') {
      this.notify('warning', m.message || 'The clipboard was refused.');
      return;
    }
    const text = this.clips.add(m);
    if (text === null) return;
    this.store.set({ clipboard: text });
    this.handlers.clipboard(text);
  }

  private async tick(): Promise<void> {
    const { peer } = this;
    if (!peer) return;
    if (this.meter.unanswered >= maxUnanswered) {
      peer.close();
      this.peer = null;
      void this.onLost();
      return;
    }
    if (this.greeted && this.meter.pingDue())
      peer.sendControl({ t: 'ping', id: this.meter.pinged(performance.now()) });
    const report = await peer.getStats();
    if (this.peer !== peer) return;
    const stats: Record<string, unknown>[] = [];
    report.forEach((stat) => stats.push(stat as Record<string, unknown>));
    this.store.set({ figures: this.meter.update(stats) });
  }
}
