import { describe, expect, it } from 'vitest';
import { bucketMarkers, markerNear, type MarkerKind } from './markers';
import { nextRate } from './use-player-keys';

const marker = (t_ms: number, kind: MarkerKind) => ({ t_ms, kind });

describe('bucketMarkers', () => {
  it('bounds the markers of any number of events and keeps the weightiest kind', () => {
    const many = Array.from({ length: 50_000 }, (_, i) => marker(i, i === 100 ? 'alert' : 'line'));
    const markers = bucketMarkers(many, { from: 0, to: 50_000 });
    expect(markers.length).toBeLessThanOrEqual(250);
    expect(markers.filter((m) => m.kind === 'alert')).toHaveLength(1);
    expect(markers.every((m) => m.height <= 14)).toBe(true);
  });

  it('shows what is in the window only', () => {
    expect(
      bucketMarkers([marker(500, 'line'), marker(1000, 'line'), marker(2500, 'alert')], {
        from: 1000,
        to: 2000,
      }),
    ).toEqual([{ at: 2, kind: 'line', height: 8 }]);
  });
});

it('markerNear finds the nearest, and of two at one place the weightier', () => {
  const list = [marker(100, 'line'), marker(100, 'alert'), marker(300, 'viewer')];
  expect(markerNear(list, 120, 50)?.kind).toBe('alert');
  expect(markerNear(list, 280, 50)?.kind).toBe('viewer');
  expect(markerNear(list, 200, 50)).toBeNull();
});

it('nextRate walks the rates and stops at the ends', () => {
  expect(nextRate(1, 1)).toBe(1.5);
  expect(nextRate(1, -1)).toBe(0.5);
  expect(nextRate(16, 1)).toBe(16);
  expect(nextRate(0.5, -1)).toBe(0.5);
});
