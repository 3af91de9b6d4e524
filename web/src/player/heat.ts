import type { Timeline } from '../api/review';

/** A part of a recording that is shown, in milliseconds. */
export interface Window {
  from: number;
  to: number;
}

/** Activity in equal parts of a window, each from 0 to 1. */
export interface Heat {
  picture: number[];
  input: number[];
}

/** The shortest window, in milliseconds. */
export const minWindow = 10_000;

/**
 * The activity of a window in a number of columns. Little is to be seen beside much: the square root of what happened is
 * shown, as a part of the most there was anywhere, so that zooming changes no height.
 */
export function heatOf(timeline: Timeline, window: Window, columns: number): Heat {
  const { bucket_ms } = timeline;
  const input = timeline.keys.map((n, i) => n + (timeline.pointer[i] ?? 0));
  return {
    picture: resample(timeline.picture, bucket_ms, window, columns),
    input: resample(input, bucket_ms, window, columns),
  };
}

function resample(values: readonly number[], bucketMs: number, window: Window, columns: number): number[] {
  let most = 0;
  for (const v of values) most = Math.max(most, v);
  const each = (window.to - window.from) / columns;
  return Array.from({ length: columns }, (_, c) => {
    const first = Math.floor((window.from + c * each) / bucketMs);
    const last = Math.max(first, Math.ceil((window.from + (c + 1) * each) / bucketMs) - 1);
    let peak = 0;
    for (let b = first; b <= last; b++) peak = Math.max(peak, values[b] ?? 0);
    return most === 0 ? 0 : Math.sqrt(peak / most);
  });
}

/** A filled curve over columns, in a box of width `columns` and some height. */
export function areaPath(values: readonly number[], height: number): string {
  const points = values.map(
    (v, i) => `${i},${(height * (1 - v)).toFixed(1)} ${i + 1},${(height * (1 - v)).toFixed(1)}`,
  );
  return `M0,${height} L${points.join(' ')} L${values.length},${height} Z`;
}

/** A window narrower or wider by a factor, with a moment kept where it is shown. */
export function zoom(window: Window, factor: number, at: number, duration: number): Window {
  const length = Math.min(
    duration,
    Math.max(Math.min(minWindow, duration), (window.to - window.from) * factor),
  );
  const share = (at - window.from) / (window.to - window.from || 1);
  return shift({ from: at - share * length, to: at - share * length + length }, 0, duration);
}

/** A window moved, but not beyond the recording. */
export function shift(window: Window, by: number, duration: number): Window {
  const length = window.to - window.from;
  const from = Math.min(Math.max(0, window.from + by), Math.max(0, duration - length));
  return { from, to: from + length };
}

/** A window moved so that a moment is in it: it begins a tenth before. */
export function follow(window: Window, at: number, duration: number): Window {
  if (at >= window.from && at <= window.to) return window;
  return shift(window, at - (window.to - window.from) / 10 - window.from, duration);
}

/** The time in "83", "1:23", "1:02:03.5", in milliseconds; null when it is none. */
export function parseClock(text: string): number | null {
  if (!/^\d{1,6}(:\d{1,2}){0,2}([.,]\d{1,3})?$/.test(text.trim())) return null;
  return Math.round(
    text
      .trim()
      .replace(',', '.')
      .split(':')
      .reduce((sum, part) => sum * 60 + Number(part), 0) * 1000,
  );
}

/** The first moment of a sorted list beyond one, or the last before it; null when there is none. */
export function neighbour(times: readonly number[], at: number, direction: 1 | -1): number | null {
  // Going on from a moment that was just gone to leads to the next one, not to itself again.
  const found = direction > 0 ? times.find((t) => t > at + 50) : times.findLast((t) => t < at - 50);
  return found ?? null;
}
