import type { PlayerIndex } from '../api/client';

/** Questions about a recording's index. Times are milliseconds since the recording began. */

export type Segment = PlayerIndex['segments'][number];
export type Stretch = PlayerIndex['idle'][number];

/** The segment shown at a time: the last that starts at or before it; 0 before the first; -1 when there is none. */
export function segmentAt(segments: readonly Segment[], ms: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if ((segments[mid]?.start_ms ?? Infinity) <= ms) low = mid + 1;
    else high = mid;
  }
  return segments.length === 0 ? -1 : Math.max(0, low - 1);
}

/** The nearest segment at or before another from which decoding can start; -1 when there is none. */
export function syncBefore(segments: readonly Segment[], index: number): number {
  for (let i = index; i >= 0; i--) if (segments[i]?.sync) return i;
  return -1;
}

/** The nearest segment after another from which decoding can start and which `usable` accepts; -1 when none. */
export function syncAfter(
  segments: readonly Segment[],
  index: number,
  usable: (segment: Segment) => boolean = () => true,
): number {
  for (let i = index + 1; i < segments.length; i++) {
    const segment = segments[i];
    if (segment?.sync && usable(segment)) return i;
  }
  return -1;
}

/** Where to start reading for a time, and what time is shown in the end. */
export interface Plan {
  /** The segment to decode from. */
  from: number;
  /** The segment that holds the time. */
  at: number;
  ms: number;
}

/**
 * How to get to a time. Where a broken segment lies between the sync segment and the time, the nearest sync
 * segment after it is the way on. Null when nothing can be shown from there on.
 */
export function planSeek(segments: readonly Segment[], ms: number, bad: ReadonlySet<string>): Plan | null {
  const at = segmentAt(segments, ms);
  const first = segments[0];
  if (at < 0 || !first) return null;
  const from = syncBefore(segments, at);
  const broken = from < 0 || segments.slice(from, at + 1).some((s) => bad.has(s.name));
  if (!broken) return { from, at, ms: Math.max(ms, first.start_ms) };
  const next = syncAfter(segments, at, (s) => !bad.has(s.name));
  const segment = segments[next];
  return segment ? { from: next, at: next, ms: segment.start_ms } : null;
}

/** Idle time shorter than this is not worth a jump, in milliseconds. */
const minJumpMs = 1000;
/** How much of an idle stretch is shown at its start and at its end. */
const leadInMs = 500;
const leadOutMs = 300;

/** Where to jump to skip the idle stretch a time lies in; null where there is none, or only its end is left. */
export function idleJump(index: PlayerIndex, ms: number): number | null {
  const stretch = index.idle.find((s) => ms >= s.start_ms + leadInMs && ms < s.end_ms);
  if (!stretch) return null;
  // Where a running session is still now there is nothing to jump to yet.
  if (index.live && stretch.end_ms >= index.duration_ms - minJumpMs) return null;
  const to = Math.min(stretch.end_ms - leadOutMs, index.duration_ms);
  return to - ms >= minJumpMs ? to : null;
}
