import { expect, it } from 'vitest';
import { isPasteKey } from './paste';
import { protocolButtons } from './stage';
import { retryDelay } from './viewer';
import type { KeyLike } from './keyboard';

it.each([
  [0, 0],
  [1, 1],
  [2, 4],
  [4, 2],
  [8, 8],
  [16, 16],
  [31, 31],
])('buttons %i of the browser are %i of the protocol', (browser, protocol) => {
  expect(protocolButtons(browser)).toBe(protocol);
});

it('waits longer from try to try, within bounds and with a spread', () => {
  expect([1, 2, 3, 4, 5, 6, 20, 2000].map((n) => retryDelay(n, 0.5))).toEqual([
    300, 600, 1200, 2400, 4800, 8000, 8000, 8000,
  ]);
  expect(retryDelay(1, 0)).toBeCloseTo(240);
  expect(retryDelay(1, 1)).toBeCloseTo(360);
});

it('knows the keys that paste', () => {
  const key = (code: string, name: string, mods: Partial<KeyLike> = {}) =>
    ({ code, key: name, ctrlKey: false, shiftKey: false, altKey: false, metaKey: false, ...mods }) as KeyLike;
  expect(isPasteKey(key('KeyV', 'v', { ctrlKey: true }), 'other')).toBe(true);
  expect(isPasteKey(key('KeyV', 'V', { ctrlKey: true, shiftKey: true }), 'other')).toBe(true);
  expect(isPasteKey(key('Insert', 'Insert', { shiftKey: true }), 'other')).toBe(true);
  expect(isPasteKey(key('KeyV', 'v', { metaKey: true }), 'mac')).toBe(true);
  expect(isPasteKey(key('KeyV', 'v', { metaKey: true }), 'other')).toBe(false);
  expect(isPasteKey(key('KeyV', 'v', { ctrlKey: true, altKey: true }), 'windows')).toBe(false);
  expect(isPasteKey(key('KeyV', 'v'), 'other')).toBe(false);
});
