import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LatestWins } from './motion';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function make() {
  const sent: number[] = [];
  const rests: number[] = [];
  return {
    sent,
    rests,
    motion: new LatestWins<number>(
      (n) => sent.push(n),
      (n) => rests.push(n),
      () => Date.now(),
    ),
  };
}

it('sends the first at once, then at most 125 a second, always the newest', () => {
  const { sent, motion } = make();
  for (let i = 0; i < 1000; i++) {
    motion.push(i);
    vi.advanceTimersByTime(1);
  }
  expect(sent[0]).toBe(0);
  expect(sent.length).toBeGreaterThan(120);
  expect(sent.length).toBeLessThanOrEqual(126);
  vi.advanceTimersByTime(10);
  expect(sent.at(-1)).toBe(999);
});

it('forgets what waits', () => {
  const { sent, motion } = make();
  motion.push(1);
  motion.push(2);
  motion.drop();
  vi.advanceTimersByTime(100);
  expect(sent).toEqual([1]);
  motion.push(3);
  expect(sent).toEqual([1, 3]);
});

it('tells where it has come to rest, once, unless something newer went another way', () => {
  const { rests, motion } = make();
  for (let i = 0; i < 50; i++) {
    motion.push(i);
    vi.advanceTimersByTime(90);
  }
  expect(rests).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(rests).toEqual([49]);
  motion.push(50);
  vi.advanceTimersByTime(50);
  motion.drop();
  vi.advanceTimersByTime(1000);
  expect(rests).toEqual([49]);
});
