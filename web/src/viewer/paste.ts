import type { KeyLike, Platform } from './keyboard';
import { ClipboardTooLargeError } from './clipboard';
import type { Viewer } from './viewer';

/** The head start the clipboard gets before the key that pastes it, in milliseconds. */
const headStartMs = 60;

/** Tells whether a key press makes this browser paste. */
export function isPasteKey(key: KeyLike, platform: Platform): boolean {
  if (key.altKey) return false;
  if (key.code === 'Insert') return key.shiftKey && !key.ctrlKey && !key.metaKey;
  return key.key.toLowerCase() === 'v' && (key.ctrlKey || (platform === 'mac' && key.metaKey));
}

/**
 * Keeps the two clipboards the same without asking for permission: the key that pastes first brings this
 * computer's clipboard over, so what arrives is never one copy behind; what is copied on the desktop is put into
 * this computer's clipboard as soon as the browser allows it.
 */
export class PasteSync {
  /** Key events that wait for the clipboard, in order. */
  private waiting: (() => void)[] | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** The text both sides are known to hold. */
  private shared: string | null = null;
  /** A text of the desktop the browser did not let us put into the clipboard yet. */
  private unwritten: string | null = null;

  constructor(
    private readonly viewer: Viewer,
    private readonly platform: Platform,
  ) {}

  /**
   * Takes a key event that must wait. `paste`: the browser shall act on it, so that it hands its clipboard over;
   * `wait`: it came while another waited, and the browser must not act on it; null: it need not wait.
   */
  intercept(key: KeyLike, down: boolean, deliver: () => void): 'paste' | 'wait' | null {
    if (this.waiting) {
      this.waiting.push(deliver);
      return 'wait';
    }
    if (!down || key.repeat || !isPasteKey(key, this.platform)) return null;
    this.waiting = [deliver];
    // The paste event comes before this, if it comes at all.
    this.timer = setTimeout(() => this.deliver(), 0);
    return 'paste';
  }

  /** The browser pasted. */
  pasted(text: string): void {
    if (this.timer !== null) clearTimeout(this.timer);
    let wait = 0;
    if (text !== '' && text !== this.shared) {
      try {
        this.viewer.sendClipboard(text);
        this.shared = text;
        wait = headStartMs;
      } catch (error) {
        if (!(error instanceof ClipboardTooLargeError)) throw error;
        this.viewer.notify('warning', error.message);
      }
    }
    this.timer = setTimeout(() => this.deliver(), wait);
  }

  /** The desktop's clipboard changed. */
  remoteText(text: string): void {
    this.shared = text;
    this.unwritten = text;
    this.flushRemote();
  }

  /** Tries again to put the desktop's text into this computer's clipboard; best called when somebody acts. */
  flushRemote(): void {
    const text = this.unwritten;
    // Absent on insecure origins, whatever the types say.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (text === null || !clipboard || !document.hasFocus()) return;
    clipboard.writeText(text).then(
      () => {
        if (this.unwritten === text) this.unwritten = null;
      },
      () => undefined,
    );
  }

  /** Forgets keys that wait. */
  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.waiting = null;
  }

  dispose(): void {
    this.cancel();
    this.unwritten = null;
  }

  private deliver(): void {
    this.timer = null;
    const keys = this.waiting ?? [];
    this.waiting = null;
    for (const key of keys) key();
  }
}
