import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Hold } from './hold';

let sent: string[] = [];
const lost = vi.fn<() => void>();
let hold: Hold;
const add = (...texts: string[]) => texts.forEach((text) => hold.add(() => sent.push(text)));

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  lost.mockReset();
  hold = new Hold(lost);
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('sends all that waited, in order', () => {
  add('a', 'b');
  vi.advanceTimersByTime(4900);
  add('c');
  expect(sent).toEqual([]);
  hold.open();
  expect(sent).toEqual(['a', 'b', 'c']);
  expect(lost).not.toHaveBeenCalled();
});

it('sends none of it when the first has waited for too long, nor what comes after', () => {
  add('a');
  vi.advanceTimersByTime(4000);
  add('b');
  vi.advanceTimersByTime(1000);
  expect(lost).toHaveBeenCalledOnce();
  add('c');
  vi.advanceTimersByTime(60_000);
  hold.open();
  expect(sent).toEqual([]);
  expect(lost).toHaveBeenCalledOnce();
});

it('sends none of it when there is too much', () => {
  for (let i = 0; i < 512; i++) add(String(i));
  expect(lost).not.toHaveBeenCalled();
  add('one too many', 'and another');
  expect(lost).toHaveBeenCalledOnce();
  hold.open();
  expect(sent).toEqual([]);
});

it('forgets what waits when the connection is closed', () => {
  add('a');
  hold.close();
  vi.advanceTimersByTime(60_000);
  expect(lost).not.toHaveBeenCalled();
  expect(sent).toEqual([]);
});
