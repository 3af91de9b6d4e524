import type { InputMessage, Locks } from './protocol';

/** The system the browser runs on, as far as its keyboard is peculiar. */
export type Platform = 'mac' | 'windows' | 'other';

/** What of a KeyboardEvent counts. */
export interface KeyLike {
  code: string;
  key: string;
  timeStamp: number;
  repeat: boolean;
  isComposing: boolean;
  keyCode: number;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** What becomes of a key event: `sent` means the browser must not act on it, `text` that it shall make text. */
export type KeyOutcome = 'sent' | 'text';

/** On Windows AltGr arrives as ControlLeft and AltRight within a few milliseconds. */
const altGrMs = 60;

const modifierCodes = new Set([
  'ControlLeft',
  'ControlRight',
  'ShiftLeft',
  'ShiftRight',
  'AltLeft',
  'AltRight',
  'MetaLeft',
  'MetaRight',
]);

/** Keys whose meaning only the text they make tells: dead keys and what input methods take. */
const textKeys = new Set(['Dead', 'Process', 'Unidentified', 'Compose']);

export function detectPlatform(nav: { platform: string; userAgent: string }): Platform {
  if (/mac|iphone|ipad/i.test(nav.platform)) return 'mac';
  if (/win/i.test(nav.platform)) return 'windows';
  return 'other';
}

/** Keys that lock something: what they do to it is known only with the next event. */
const lockCodes = new Set(['CapsLock', 'NumLock', 'ScrollLock']);

/** Reads what is locked from a key or pointer event. A Mac has no Num Lock: its keypad always makes digits. */
export function readLocks(event: { getModifierState: (key: string) => boolean }, platform: Platform): Locks {
  return {
    caps: event.getModifierState('CapsLock'),
    num: platform === 'mac' || event.getModifierState('NumLock'),
    scroll: event.getModifierState('ScrollLock'),
  };
}

const isOption = (code: string) => code === 'AltLeft' || code === 'AltRight';
const isPrintable = (key: string) => Array.from(key).length === 1;

/**
 * Turns a browser's key events into the protocol's. It remembers which keys are down, so that each goes up as
 * the key it went down as, nothing stays stuck, and the quirks of the systems stay here:
 *
 *  - Windows: AltGr comes with a false ControlLeft, which is dropped; of two Shift keys only one is reported up.
 *  - macOS: while Command is down, no other key is reported up, so each is released at once; Option makes
 *    characters and is held back until it turns out to be meant as Alt; Caps Lock reports half its presses.
 *  - Print Screen is reported only when it goes up.
 */
export class Keyboard {
  /** Keys the gateway believes to be down: code → key. */
  private readonly down = new Map<string, string>();
  /** Modifiers held by the toolbar, not by a finger. */
  private readonly held = new Map<string, string>();
  /** What the desktop was last told to have locked; null when it must be told anew. */
  private locks: Locks | null = null;
  private control: { event: KeyLike; timer: ReturnType<typeof setTimeout> } | null = null;
  /** macOS: Option keys that are down and were not sent; true once they made a character. */
  private readonly option = new Map<string, boolean>();

  constructor(
    private readonly platform: Platform,
    private readonly send: (message: InputMessage) => void,
  ) {}

  keyDown(event: KeyLike): KeyOutcome {
    if (event.isComposing || event.keyCode === 229 || textKeys.has(event.key) || !event.code) return 'text';
    if (this.resolveControl(event)) return this.press(event.code, 'AltGraph');
    this.syncModifiers(event);

    if (this.platform === 'windows' && event.code === 'ControlLeft' && !event.repeat) {
      const timer = setTimeout(() => this.flushControl(), altGrMs);
      this.control = { event, timer };
      return 'sent';
    }
    if (this.platform === 'mac') return this.macDown(event);
    return this.press(event.code, event.key);
  }

  keyUp(event: KeyLike): KeyOutcome {
    if (this.control) {
      if (event.code === 'ControlLeft' || event.timeStamp - this.control.event.timeStamp >= altGrMs) {
        this.flushControl();
      }
    }
    if (event.code === 'PrintScreen' && !this.down.has(event.code)) this.press(event.code, event.key);
    if (this.platform === 'mac') {
      if (event.code === 'CapsLock') {
        this.press(event.code, event.key);
        return this.release(event.code);
      }
      const used = this.option.get(event.code);
      if (used !== undefined) {
        this.option.delete(event.code);
        if (!used) {
          this.press(event.code, 'Alt');
          this.release(event.code);
        }
        return 'sent';
      }
      if (event.key === 'Meta') this.releaseOthers();
    }
    if (this.platform === 'windows' && event.key === 'Shift') {
      this.release('ShiftLeft');
      this.release('ShiftRight');
      return 'sent';
    }
    return this.release(event.code);
  }

  /** Tells what is locked if the desktop does not know; call it before what it bears on. `code` is the key's, if any. */
  syncLocks(locks: Locks, code = ''): void {
    if (lockCodes.has(code)) {
      // The press itself changes it, on either side; whether the event tells the state before or after, no one knows.
      this.locks = null;
      return;
    }
    const last = this.locks;
    if (last?.caps === locks.caps && last.num === locks.num && last.scroll === locks.scroll) return;
    this.locks = locks;
    this.send({ t: 'locks', ...locks });
  }

  /** Forgets what the desktop was told: somebody else may have changed it. */
  forgetLocks(): void {
    this.locks = null;
  }

  /** Presses or lets go of a modifier for the toolbar; it stays until it is let go or everything is released. */
  hold(code: string, key: string, on: boolean): void {
    if (on === this.held.has(code)) return;
    if (on) this.held.set(code, key);
    else this.held.delete(code);
    this.send({ t: 'key', code, key, down: on });
  }

  /** The codes the toolbar holds down. */
  heldCodes(): string[] {
    return [...this.held.keys()];
  }

  /** Lets go of every key a finger holds: the desktop lost the focus to something else on the page. */
  releaseKeys(): void {
    this.locks = null;
    this.cancelControl();
    this.option.clear();
    for (const code of [...this.down.keys()]) this.release(code);
  }

  /** Lets go of everything at once: the window lost the focus. */
  releaseAll(): void {
    this.locks = null;
    this.cancelControl();
    this.option.clear();
    this.down.clear();
    this.held.clear();
    this.send({ t: 'release' });
  }

  /** Forgets what is down without a word: the connection is a new one. */
  forget(): void {
    this.locks = null;
    this.cancelControl();
    this.option.clear();
    this.down.clear();
    this.held.clear();
  }

  private press(code: string, key: string): KeyOutcome {
    this.down.set(code, key);
    this.send({ t: 'key', code, key, down: true });
    return 'sent';
  }

  private release(code: string): KeyOutcome {
    const key = this.down.get(code);
    if (key !== undefined) {
      this.down.delete(code);
      this.send({ t: 'key', code, key, down: false });
    }
    return 'sent';
  }

  /** Decides about a ControlLeft that waits: true when `event` shows that it was the false one of AltGr. */
  private resolveControl(event: KeyLike): boolean {
    if (!this.control) return false;
    const altGr = event.code === 'AltRight' && event.timeStamp - this.control.event.timeStamp < altGrMs;
    if (altGr) this.cancelControl();
    else this.flushControl();
    return altGr;
  }

  private flushControl(): void {
    const control = this.control;
    this.cancelControl();
    if (control) this.press(control.event.code, control.event.key);
  }

  private cancelControl(): void {
    if (this.control) clearTimeout(this.control.timer);
    this.control = null;
  }

  private macDown(event: KeyLike): KeyOutcome {
    if (event.code === 'CapsLock') {
      this.press(event.code, event.key);
      return this.release(event.code);
    }
    if (isOption(event.code)) {
      if (!this.down.has(event.code)) this.option.set(event.code, this.option.get(event.code) ?? false);
      return 'sent';
    }
    if (this.option.size > 0 && !modifierCodes.has(event.code)) {
      if (isPrintable(event.key) && !event.ctrlKey && !event.metaKey) {
        for (const code of this.option.keys()) this.option.set(code, true);
      } else {
        for (const code of this.option.keys()) this.press(code, 'Alt');
        this.option.clear();
      }
    }
    this.press(event.code, event.key);
    if (event.metaKey && !modifierCodes.has(event.code)) this.release(event.code);
    return 'sent';
  }

  private releaseOthers(): void {
    for (const code of [...this.down.keys()]) {
      if (!modifierCodes.has(code)) this.release(code);
    }
  }

  /** Lets go of modifiers the browser says are up though nobody told us: their keyup went elsewhere. */
  private syncModifiers(event: KeyLike): void {
    const states = [
      [event.ctrlKey, 'Control'],
      [event.shiftKey, 'Shift'],
      [event.altKey, 'Alt'],
      [event.metaKey, 'Meta'],
    ] as const;
    for (const [on, name] of states) {
      if (on || event.key === name) continue;
      for (const [code, key] of [...this.down]) {
        if (key === name && modifierCodes.has(code)) this.release(code);
      }
    }
  }
}
