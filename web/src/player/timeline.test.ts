import { describe, expect, it } from 'vitest';
import type { PlayerIndex } from '../api/client';
import { idleJump, planSeek, segmentAt, syncAfter, syncBefore, type Segment } from './timeline';

/** Segments of 4 s from 500 ms on; S is a sync segment. A long still one is written as its seconds. */
function segments(pattern: string, still: Record<number, number> = {}): Segment[] {
  let at = 500;
  return Array.from(pattern).map((c, i) => {
    const duration = (still[i] ?? 4) * 1000;
    const segment = {
      name: `s${i}`,
      init: 'i',
      start_ms: at,
      duration_ms: duration,
      sync: c === 'S',
      bytes: 1,
    };
    at += duration;
    return segment;
  });
}

const list = segments('S--S--', { 1: 600 });

it.each([
  [0, 0],
  [500, 0],
  [4499, 0],
  [4500, 1],
  [300_000, 1],
  [604_500, 2],
  [10_000_000, 5],
])('segmentAt %i ms is %i', (ms, index) => {
  expect(segmentAt(list, ms)).toBe(index);
});

it('finds sync segments around', () => {
  expect(segmentAt([], 5)).toBe(-1);
  expect(syncBefore(list, 2)).toBe(0);
  expect(syncBefore(list, 3)).toBe(3);
  expect(syncBefore(segments('--S'), 1)).toBe(-1);
  expect(syncAfter(list, 0)).toBe(3);
  expect(syncAfter(list, 3)).toBe(-1);
  expect(syncAfter(segments('S-SS'), 0, (s) => s.name !== 's2')).toBe(3);
});

describe('planSeek', () => {
  const cases: { name: string; ms: number; bad: string[]; plan: unknown }[] = [
    {
      name: 'starts at the sync segment before',
      ms: 605_000,
      bad: [],
      plan: { from: 0, at: 2, ms: 605_000 },
    },
    {
      name: 'shows the first picture for times before it',
      ms: 0,
      bad: [],
      plan: { from: 0, at: 0, ms: 500 },
    },
    { name: 'goes into a long still', ms: 400_000, bad: [], plan: { from: 0, at: 1, ms: 400_000 } },
    {
      name: 'goes on after a broken segment',
      ms: 605_000,
      bad: ['s1'],
      plan: { from: 3, at: 3, ms: 608_500 },
    },
    {
      name: 'does not mind what is broken after it',
      ms: 1000,
      bad: ['s1'],
      plan: { from: 0, at: 0, ms: 1000 },
    },
    { name: 'gives up after the last sync segment', ms: 617_000, bad: ['s4'], plan: null },
  ];
  it.each(cases)('$name', ({ ms, bad, plan }) => {
    expect(planSeek(list, ms, new Set(bad))).toEqual(plan);
  });

  it('has nothing to show of nothing', () => {
    expect(planSeek([], 0, new Set())).toBeNull();
  });
});

describe('idleJump', () => {
  const index = (live: boolean, duration: number) =>
    ({ live, duration_ms: duration, idle: [{ start_ms: 10_000, end_ms: 70_000 }] }) as unknown as PlayerIndex;
  it.each([
    ['before it', 9999, null],
    ['shows how it begins', 10_400, null],
    ['jumps to just before its end', 10_600, 69_700],
    ['does not jump a moment', 69_000, null],
    ['after it', 70_000, null],
  ])('%s', (_, ms, to) => {
    expect(idleJump(index(false, 100_000), ms)).toBe(to);
  });

  it('waits where a running session is idle now', () => {
    expect(idleJump(index(true, 70_500), 20_000)).toBeNull();
    expect(idleJump(index(true, 90_000), 20_000)).toBe(69_700);
  });
});
