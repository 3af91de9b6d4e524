import type { Timeline } from '../../api/review';
import type { Window } from '../../player/heat';

export type TimelineMarker = Timeline['markers'][number];
export type MarkerKind = TimelineMarker['kind'];

export interface Marker {
  /** Place in thousandths of the window. */
  at: number;
  kind: MarkerKind;
  /** In units of 14. */
  height: number;
}

/** What is worth being seen first where several things happened at one place. */
const rank: Record<MarkerKind, number> = {
  alert: 9,
  freeze: 8,
  warning: 7,
  control: 6,
  message: 5,
  justification: 5,
  clipboard: 4,
  viewer: 3,
  line: 2,
  resize: 1,
};

export const markerNames: Record<MarkerKind, string> = {
  alert: 'Alert',
  freeze: 'Frozen',
  warning: 'Warning',
  control: 'Control',
  message: 'Message',
  justification: 'Justification',
  clipboard: 'Clipboard',
  viewer: 'Viewer',
  line: 'Typed',
  resize: 'Desktop size',
};

/** Thousandths of the window that share a marker. */
const bucketWidth = 4;

/** At most 250 markers of a window: the weightiest of each place, taller where there are more. */
export function bucketMarkers(markers: readonly TimelineMarker[], window: Window): Marker[] {
  const buckets = new Map<number, { kind: MarkerKind; count: number }>();
  for (const marker of markers) {
    const share = ((marker.t_ms - window.from) / (window.to - window.from || 1)) * 1000;
    if (share < 0 || share > 1000) continue;
    const place = Math.floor(Math.min(999, share) / bucketWidth) * bucketWidth + bucketWidth / 2;
    const bucket = buckets.get(place);
    if (!bucket) buckets.set(place, { kind: marker.kind, count: 1 });
    else {
      bucket.count++;
      if (rank[marker.kind] > rank[bucket.kind]) bucket.kind = marker.kind;
    }
  }
  return [...buckets].map(([at, { kind, count }]) => ({ at, kind, height: Math.min(14, 6 + 2 * count) }));
}

/** The marker nearest to a time, not further away than `within`; the weightier of two that are equally near. */
export function markerNear(
  markers: readonly TimelineMarker[],
  ms: number,
  within: number,
): TimelineMarker | null {
  let best: TimelineMarker | null = null;
  for (const m of markers) {
    const away = Math.abs(m.t_ms - ms);
    if (away > within) continue;
    const before = best ? Math.abs(best.t_ms - ms) : Infinity;
    if (away < before || (away === before && best && rank[m.kind] > rank[best.kind])) best = m;
  }
  return best;
}
