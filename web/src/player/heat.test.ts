import { describe, expect, it } from 'vitest';
import { areaPath, follow, heatOf, neighbour, parseClock, shift, zoom } from './heat';

const timeline = {
  bucket_ms: 1000,
  duration_ms: 10_000,
  keys: [0, 0, 4, 0, 0, 0, 0, 0, 0, 0],
  pointer: [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  picture: [100, 0, 0, 25, 0, 0, 0, 0, 0, 0],
  markers: [],
  left_out: false,
};

describe('heatOf', () => {
  it('shows the peak of each column as a share of all there was', () => {
    const heat = heatOf(timeline, { from: 0, to: 10_000 }, 5);
    expect(heat.input).toEqual([0, 1, 0, 0, 0]);
    expect(heat.picture).toEqual([1, 0.5, 0, 0, 0]);
  });

  it('keeps heights when zoomed in, also between buckets', () => {
    expect(heatOf(timeline, { from: 3000, to: 4000 }, 4).picture).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(heatOf(timeline, { from: 20_000, to: 30_000 }, 2).picture).toEqual([0, 0]);
  });

  it('is flat where nothing happened at all', () => {
    const still = { ...timeline, keys: [0], pointer: [0], picture: [0] };
    expect(heatOf(still, { from: 0, to: 1000 }, 1)).toEqual({ picture: [0], input: [0] });
  });
});

it('areaPath closes the curve', () => {
  expect(areaPath([0, 1], 10)).toBe('M0,10 L0,10.0 1,10.0 1,0.0 2,0.0 L2,10 Z');
});

describe('windows', () => {
  const all = { from: 0, to: 100_000 };
  it('zoom keeps a moment in its place and stays within the recording', () => {
    expect(zoom(all, 0.5, 50_000, 100_000)).toEqual({ from: 25_000, to: 75_000 });
    expect(zoom(all, 0.5, 0, 100_000)).toEqual({ from: 0, to: 50_000 });
    expect(zoom({ from: 25_000, to: 75_000 }, 10, 30_000, 100_000)).toEqual(all);
    expect(zoom(all, 0.001, 100_000, 100_000)).toEqual({ from: 90_000, to: 100_000 });
    expect(zoom({ from: 0, to: 4000 }, 0.5, 1000, 4000)).toEqual({ from: 0, to: 4000 });
  });

  it('shift and follow stay within the recording', () => {
    expect(shift({ from: 0, to: 10 }, -5, 100)).toEqual({ from: 0, to: 10 });
    expect(shift({ from: 80, to: 90 }, 50, 100)).toEqual({ from: 90, to: 100 });
    expect(follow({ from: 0, to: 10 }, 5, 100)).toEqual({ from: 0, to: 10 });
    expect(follow({ from: 0, to: 10 }, 50, 100)).toEqual({ from: 49, to: 59 });
  });
});

it('parseClock reads times as people write them', () => {
  expect(parseClock('83')).toBe(83_000);
  expect(parseClock(' 1:23 ')).toBe(83_000);
  expect(parseClock('1:02:03.5')).toBe(3_723_500);
  expect(parseClock('1:2:3:4')).toBeNull();
  expect(parseClock('soon')).toBeNull();
});

it('neighbour goes on from where one is', () => {
  expect(neighbour([100, 500, 900], 500, 1)).toBe(900);
  expect(neighbour([100, 500, 900], 500, -1)).toBe(100);
  expect(neighbour([100], 500, 1)).toBeNull();
});
