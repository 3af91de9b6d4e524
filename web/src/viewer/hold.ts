/** How long what people do may wait for its channel, in milliseconds: what comes later would surprise them. */
const patienceMs = 5000;
/** So many messages may wait: a key repeats 30 times a second, and its way up counts too. */
const maxMessages = 512;

/**
 * Keeps what is to be sent before it can be: over a bad link the first picture may be there seconds before the channels are.
 * All of it is sent in order, or none: half a command line does harm. Made once for a connection; open or close must follow.
 */
export class Hold {
  /** Null once it was given up. */
  private waiting: (() => void)[] | null = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  /** lost is called at most once: what waited was given up, and so is what comes until the hold is opened. */
  constructor(private readonly lost: () => void) {}

  add(send: () => void): void {
    if (!this.waiting) return;
    if (this.waiting.length === maxMessages) {
      this.giveUp();
      return;
    }
    this.waiting.push(send);
    this.timer ??= setTimeout(() => this.giveUp(), patienceMs);
  }

  /** Sends what waits. */
  open(): void {
    const waiting = this.waiting ?? [];
    this.close();
    for (const send of waiting) send();
  }

  /** Forgets what waits without a word. */
  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.waiting = null;
  }

  private giveUp(): void {
    this.close();
    this.lost();
  }
}
