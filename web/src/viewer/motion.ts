/** Pointer motion is sent at most this often: 125 Hz, the rate of a USB mouse. */
const intervalMs = 8;
/** With nothing newer for so long, the pointer is at rest. */
const restMs = 100;

/**
 * Passes on the newest of a stream of values, at most once every 8 ms: the first at once, the last always. What was passed on last
 * is told as at rest once nothing newer has come for 100 ms.
 */
export class LatestWins<T> {
  private pending: { value: T } | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private restTimer: ReturnType<typeof setTimeout> | null = null;
  private last = -Infinity;

  constructor(
    private readonly send: (value: T) => void,
    private readonly rest: (value: T) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  push(value: T): void {
    this.pending = { value };
    if (this.timer !== null) return;
    const wait = this.last + intervalMs - this.now();
    if (wait <= 0) this.flush();
    else this.timer = setTimeout(() => this.flush(), wait);
  }

  /** Forgets what waits, and what would be at rest: something newer went another way. */
  drop(): void {
    this.pending = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.stir();
  }

  private stir(): void {
    if (this.restTimer !== null) clearTimeout(this.restTimer);
    this.restTimer = null;
  }

  private flush(): void {
    this.timer = null;
    const { pending } = this;
    this.pending = null;
    if (!pending) return;
    this.last = this.now();
    this.send(pending.value);
    this.stir();
    this.restTimer = setTimeout(() => this.rest(pending.value), restMs);
  }
}
