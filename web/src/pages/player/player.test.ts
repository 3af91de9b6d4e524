import { describe, expect, it } from 'vitest';
import type { Entry } from '../../player/events';
import { bucketMarkers } from './markers';
import { nextRate } from './use-player-keys';

const entry = (startMs: number, kind: Entry['kind']): Entry => ({
  startMs,
  endMs: startMs,
  kind,
  label: '',
  detail: '',
  actor: '',
});

describe('bucketMarkers', () => {
  it('bounds the markers of any number of events and keeps the weightiest kind', () => {
    const many = Array.from({ length: 50_000 }, (_, i) => entry(i, i === 100 ? 'warning' : 'pointer'));
    const markers = bucketMarkers(many, 50_000);
    expect(markers.length).toBeLessThanOrEqual(250);
    expect(markers.filter((m) => m.kind === 'warning')).toHaveLength(1);
    expect(markers.every((m) => m.height <= 14)).toBe(true);
  });

  it('keeps events beyond the duration on the line', () => {
    expect(bucketMarkers([entry(999_999, 'text')], 1000)[0]?.at).toBeLessThan(1000);
  });
});

it('nextRate walks the rates and stops at the ends', () => {
  expect(nextRate(1, 1)).toBe(1.5);
  expect(nextRate(1, -1)).toBe(0.5);
  expect(nextRate(16, 1)).toBe(16);
  expect(nextRate(0.5, -1)).toBe(0.5);
});
