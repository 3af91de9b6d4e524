import type { RecordingEvent } from '../api/client';

/** What the event list shows as one line. */
export type EntryKind =
  'text' | 'keys' | 'pointer' | 'clipboard' | 'screen' | 'read' | 'viewer' | 'state' | 'warning' | 'other';

export interface Entry {
  /** When it began and ended, in milliseconds since the recording began. */
  startMs: number;
  endMs: number;
  kind: EntryKind;
  /** What happened, in a word or two. */
  label: string;
  /** The typed text, the copied text, the place. */
  detail: string;
  actor: string;
}

/** Keys typed further apart than this are two texts, in milliseconds. */
const runGapMs = 3000;
/** Wheel turns and clicks closer than this are one, in milliseconds. */
const burstGapMs = 1500;
/** A run of typed text is cut here, so that it stays readable and can be found, in characters. */
const maxRun = 400;

/** Keysym names of modifier keys, without their side. */
const modifierNames: Record<string, string> = {
  Control: 'Ctrl',
  Alt: 'Alt',
  Super: 'Win',
  Meta: 'Win',
  Shift: 'Shift',
  ISO_Level3_Shift: 'AltGr',
  AltGraph: 'AltGr',
};

/** How keys that make no character are shown inside typed text. */
const marks: Record<string, string> = {
  Return: '⏎',
  Enter: '⏎',
  KP_Enter: '⏎',
  Tab: '⇥',
  BackSpace: '⌫',
  Backspace: '⌫',
  Delete: '⌦',
  space: ' ',
  Left: '←',
  Right: '→',
  Up: '↑',
  Down: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
};

const str = (value: unknown): string => (typeof value === 'string' ? value : '');
const num = (value: unknown): number => (typeof value === 'number' ? value : 0);

function modifierOf(key: string): string | undefined {
  return modifierNames[key] ?? modifierNames[key.replace(/_[LR]$|(Left|Right)$/, '')];
}

/** A key's character, where it makes one. The log may name a character by its keysym. */
function characterOf(event: RecordingEvent): string | undefined {
  const key = str(event.key);
  if (Array.from(key).length === 1) return key;
  const keysym = num(event.keysym);
  if (keysym >= 0x20 && keysym <= 0xff && keysym !== 0x7f && key !== 'space')
    return String.fromCharCode(keysym);
  if (keysym > 0x01000000 && keysym <= 0x0110ffff) return String.fromCodePoint(keysym - 0x01000000);
  return undefined;
}

/**
 * Turns the event log into a list for people: keys become the text they typed, a press and a release one click.
 * Events may be added as they come.
 */
export class EventList {
  readonly entries: Entry[] = [];
  /** Modifiers that are down, by actor. */
  private readonly held = new Map<string, Set<string>>();
  private buttons = 0;

  add(events: readonly RecordingEvent[]): void {
    for (const event of events) this.addOne(event);
  }

  private addOne(event: RecordingEvent): void {
    switch (event.kind) {
      case 'key':
        this.addKey(event);
        break;
      case 'text':
        this.type(event, str(event.text));
        break;
      case 'pointer':
        this.addPointer(event);
        break;
      case 'wheel':
        this.addBurst(event, 'Scrolled', `at ${num(event.x)}, ${num(event.y)}`);
        break;
      case 'screen':
        this.addRead(event);
        break;
      default:
        this.push(event, describe(event));
    }
  }

  private addKey(event: RecordingEvent): void {
    const key = str(event.key);
    const modifier = modifierOf(key);
    const actor = event.actor ?? '';
    const held = this.held.get(actor) ?? new Set<string>();
    this.held.set(actor, held);
    if (modifier) {
      if (event.down === true) held.add(modifier);
      else held.delete(modifier);
      return;
    }
    if (event.down !== true) return;
    const character = characterOf(event);
    const chord = [...held].filter((m) => m !== 'Shift' && m !== 'AltGr');
    if (chord.length > 0) {
      const shift = held.has('Shift') ? ['Shift'] : [];
      this.push(event, {
        kind: 'keys',
        label: [...chord, ...shift, character?.toUpperCase() ?? key].join('+'),
        detail: '',
      });
      return;
    }
    const mark = character ?? marks[key];
    if (mark !== undefined) this.type(event, mark);
    else
      this.push(event, {
        kind: 'keys',
        label: key || `keysym 0x${num(event.keysym).toString(16)}`,
        detail: '',
      });
  }

  /** Appends to the text that is being typed, or begins a new one. */
  private type(event: RecordingEvent, text: string): void {
    const last = this.lastAct();
    const ms = event.t_us / 1000;
    const goesOn =
      last?.kind === 'text' &&
      last.actor === (event.actor ?? '') &&
      ms - last.endMs < runGapMs &&
      last.detail.length < maxRun &&
      !last.detail.endsWith('⏎');
    if (goesOn) {
      last.detail += text;
      last.endMs = ms;
    } else {
      this.push(event, { kind: 'text', label: 'Typed', detail: text });
    }
  }

  private addPointer(event: RecordingEvent): void {
    const action = str(event.action);
    const buttons = num(event.buttons);
    const before = this.buttons;
    this.buttons = buttons;
    const place = `at ${num(event.x)}, ${num(event.y)}`;
    if (action === 'wheel') {
      this.addBurst(event, 'Scrolled', place);
      return;
    }
    const pressed = buttons & ~before;
    if (action === 'up' || (action !== 'down' && pressed === 0)) return;
    this.addBurst(event, pressed & 4 ? 'Right click' : pressed & 2 ? 'Middle click' : 'Click', place);
  }

  /** Adds a pointer act, or counts it to the same one just before. */
  private addBurst(event: RecordingEvent, label: string, place: string): void {
    const last = this.lastAct();
    const ms = event.t_us / 1000;
    const same = label === 'Scrolled' || last?.detail === place;
    if (last?.kind === 'pointer' && last.label === label && same && ms - last.endMs < burstGapMs) {
      last.endMs = ms;
      return;
    }
    this.push(event, { kind: 'pointer', label, detail: place });
  }

  /** Puts text that was read off the picture where it was seen, which is before it was read. */
  private addRead(event: RecordingEvent): void {
    const ms = Math.min(num(event.shown_us) || event.t_us, event.t_us) / 1000;
    const detail = str(event.text).replaceAll('\n', ' ⏎ ');
    const at = entryAt(this.entries, ms) + 1;
    this.entries.splice(at, 0, {
      startMs: ms,
      endMs: ms,
      actor: '',
      kind: 'read',
      label: 'On the screen',
      detail,
    });
  }

  /** What somebody did last: what is read off the picture meanwhile does not come between. */
  private lastAct(): Entry | undefined {
    return this.entries.findLast((entry) => entry.kind !== 'read');
  }

  private push(event: RecordingEvent, what: Pick<Entry, 'kind' | 'label' | 'detail'>): void {
    const ms = event.t_us / 1000;
    this.entries.push({ startMs: ms, endMs: ms, actor: event.actor ?? '', ...what });
  }
}

/** What became of a rule's question why. */
const answers: Record<string, string> = {
  given: 'Reason given',
  refused: 'Not done',
  expired: 'No reason in time',
  withdrawn: 'Question taken back',
};

function describe(event: RecordingEvent): Pick<Entry, 'kind' | 'label' | 'detail'> {
  switch (event.kind) {
    case 'clipboard':
      return {
        kind: 'clipboard',
        label: event.direction === 'to_target' ? 'Clipboard to the desktop' : 'Clipboard from the desktop',
        detail: str(event.text) || `${num(event.bytes)} bytes`,
      };
    case 'resize':
      return {
        kind: 'screen',
        label: 'Desktop size',
        detail: `${num(event.width)} × ${num(event.height)}`,
      };
    case 'ending':
      return event.reason
        ? {
            kind: 'warning',
            label: 'Warned of the end',
            detail: `${str(event.message)} In ${Math.round(num(event.in_ms) / 1000)} s.`,
          }
        : { kind: 'state', label: 'Warning taken back', detail: '' };
    case 'line':
      return {
        kind: 'text',
        label: event.certainty === 'certain' ? 'Line' : 'Line, as it may have been',
        detail: str(event.text) || `${num(event.length)} characters`,
      };
    case 'title':
      return { kind: 'screen', label: 'Window', detail: str(event.text) };
    case 'screen_unread': {
      const count = num(event.count);
      const why =
        {
          busy: 'gone before its turn',
          timeout: 'reading took too long',
          failed: 'reading failed',
          ended: 'the session ended',
        }[str(event.reason)] ?? str(event.reason);
      return {
        kind: 'warning',
        label: 'Screen not read',
        detail: `${count} ${count === 1 ? 'part' : 'parts'}: ${why}`,
      };
    }
    case 'alert':
      return {
        kind: 'warning',
        label: `Alert: ${str(event.name) || str(event.rule)}`,
        detail: str(event.excerpt),
      };
    case 'justification':
      return {
        kind: 'warning',
        label: answers[str(event.answer)] ?? 'Asked why',
        detail: [str(event.name) || str(event.rule), str(event.text)].filter(Boolean).join(': '),
      };
    case 'freeze':
      return { kind: 'warning', label: 'Frozen', detail: str(event.message) || str(event.reason) };
    case 'resume':
      return { kind: 'state', label: 'Resumed', detail: '' };
    case 'message':
      return event.action === 'acknowledged'
        ? { kind: 'viewer', label: 'Read the message', detail: '' }
        : { kind: 'viewer', label: 'Message', detail: str(event.text) };
    case 'watch':
      return {
        kind: 'viewer',
        label: event.announced === true ? 'Watches, announced' : 'Watches, silent',
        detail: '',
      };
    case 'name':
      return { kind: 'screen', label: 'Desktop name', detail: str(event.name) };
    case 'viewer_join':
      return {
        kind: 'viewer',
        label: event.role === 'view' ? 'Began to watch' : 'Joined',
        detail: str(event.address),
      };
    case 'viewer_leave':
      return { kind: 'viewer', label: 'Left', detail: str(event.reason) };
    case 'control':
      return {
        kind: 'viewer',
        label:
          { taken: 'Took control', taken_over: 'Took over', returned: 'Has control again' }[
            str(event.action)
          ] ?? 'Gave up control',
        detail: '',
      };
    case 'state': {
      const state = str(event.state);
      const label =
        { connecting: 'Connecting', active: 'Active', frozen: 'Frozen', ended: 'Ended' }[state] ?? state;
      return {
        kind: state === 'frozen' ? 'warning' : 'state',
        label,
        detail: str(event.message) || str(event.reason),
      };
    }
    case 'rejected': {
      const count = num(event.count);
      const what = str(event.what);
      return {
        kind: 'warning',
        label: 'Refused',
        detail: `${what}${what ? ': ' : ''}${str(event.message)}${count > 1 ? ` (${count}×)` : ''}`,
      };
    }
    default:
      return { kind: 'other', label: event.kind.replaceAll('_', ' '), detail: '' };
  }
}

/** The entries that hold every word of a search. */
export function searchEntries(entries: readonly Entry[], search: string): readonly Entry[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return entries;
  return entries.filter((entry) => {
    const text = `${entry.label} ${entry.detail} ${entry.actor}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The entry last begun at a time; -1 before the first. */
export function entryAt(entries: readonly Entry[], ms: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((entries[mid]?.startMs ?? Infinity) <= ms) low = mid + 1;
    else high = mid;
  }
  return low - 1;
}
