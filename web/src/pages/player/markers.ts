import type { Entry, EntryKind } from '../../player/events';

export interface Marker {
  /** Place in thousandths of the duration. */
  at: number;
  kind: EntryKind;
  /** In units of 14. */
  height: number;
}

/** What is worth being seen first where several things happened at one place. */
const rank: Record<EntryKind, number> = {
  warning: 8,
  clipboard: 7,
  viewer: 6,
  text: 5,
  keys: 4,
  screen: 3,
  pointer: 2,
  state: 1,
  other: 0,
};

/** Thousandths of the duration that share a marker. */
const bucketWidth = 4;

/** At most 250 markers for any number of events: the weightiest of each place, taller where there are more. */
export function bucketMarkers(entries: readonly Entry[], durationMs: number): Marker[] {
  const buckets = new Map<number, { kind: EntryKind; count: number }>();
  for (const entry of entries) {
    if (entry.kind === 'state') continue;
    const share = Math.min(999, Math.max(0, (entry.startMs / durationMs) * 1000));
    const place = Math.floor(share / bucketWidth) * bucketWidth + bucketWidth / 2;
    const bucket = buckets.get(place);
    if (!bucket) buckets.set(place, { kind: entry.kind, count: 1 });
    else {
      bucket.count++;
      if (rank[entry.kind] > rank[bucket.kind]) bucket.kind = entry.kind;
    }
  }
  return [...buckets].map(([at, { kind, count }]) => ({ at, kind, height: Math.min(14, 6 + 2 * count) }));
}
