/** What of a WheelEvent counts. */
export interface WheelLike {
  deltaX: number;
  deltaY: number;
  deltaMode: number;
  timeStamp: number;
  /** Chromium and WebKit: ±120 for a notch of a mouse, −3 × delta for a trackpad. */
  wheelDeltaX?: number;
  wheelDeltaY?: number;
}

/** CSS pixels of one notch in browsers that report pixels. */
const notchPixels = 100;
/** Lines of one notch in browsers that report lines. */
const notchLines = 3;
/** `wheelDelta` of one notch. */
const notchLegacy = 120;
/** A pause after which what was left over no longer counts, in milliseconds. */
const restMs = 400;
/** The most notches one event may give: a fling must not scroll a far desktop for seconds. */
const maxNotches = 8;

export interface Notches {
  dx: number;
  dy: number;
}

/**
 * Turns wheel events of any device into whole notches. A mouse gives one event a notch; a trackpad gives many
 * small ones, which are added up until they make a notch.
 */
export class WheelAccumulator {
  private x = 0;
  private y = 0;
  private last = -Infinity;

  add(event: WheelLike): Notches {
    if (event.timeStamp - this.last > restMs) this.x = this.y = 0;
    this.last = event.timeStamp;
    this.x = accumulate(this.x, notches(event.deltaX, event.deltaMode, event.wheelDeltaX));
    this.y = accumulate(this.y, notches(event.deltaY, event.deltaMode, event.wheelDeltaY));
    const dx = Math.trunc(this.x);
    const dy = Math.trunc(this.y);
    this.x -= dx;
    this.y -= dy;
    return { dx: clamp(dx), dy: clamp(dy) };
  }
}

/** One axis of one event in notches, with fractions. */
function notches(delta: number, mode: number, legacy: number | undefined): number {
  if (legacy && legacy % notchLegacy === 0 && Math.abs(legacy + 3 * delta) > 1) return -legacy / notchLegacy;
  return delta / (mode === 1 ? notchLines : mode === 2 ? 1 : notchPixels);
}

function accumulate(sum: number, delta: number): number {
  // A change of direction starts afresh. Rounding keeps ten tenths at one.
  return Math.round((sum * delta < 0 ? delta : sum + delta) * 1e6) / 1e6;
}

function clamp(n: number): number {
  // `+ 0` makes -0 plain.
  return Math.max(-maxNotches, Math.min(maxNotches, n)) + 0;
}
