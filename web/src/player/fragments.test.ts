import { describe, expect, it } from 'vitest';
import { CorruptError, parseFragments, withLastDuration } from './fragments';

function box(type: string, ...parts: Uint8Array[]): Uint8Array {
  const size = 8 + parts.reduce((sum, p) => sum + p.length, 0);
  const out = new Uint8Array(size);
  new DataView(out.buffer).setUint32(0, size);
  out.set(new TextEncoder().encode(type), 4);
  let at = 8;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function words(...numbers: number[]): Uint8Array {
  const out = new Uint8Array(numbers.length * 4);
  const view = new DataView(out.buffer);
  numbers.forEach((n, i) => view.setUint32(i * 4, n));
  return out;
}

/** A fragment as the recorder writes it: durations and sizes for every sample. */
function fragment(start: number, durations: number[], flags = 0x305): Uint8Array {
  const stride = durations.flatMap((d) => (flags & 0x100 ? [d, 3] : [3]));
  return concat(
    box(
      'moof',
      box('mfhd', words(0, 1)),
      box(
        'traf',
        box('tfhd', words(0x020002, 1, 1)),
        box('tfdt', words(1 << 24, 0, start)),
        box('trun', words(flags, durations.length, 0, 0x02000000, ...stride)),
      ),
    ),
    box('mdat', new Uint8Array(3 * durations.length)),
  );
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((p) => [...p]));
}

const first = fragment(9000, [3000, 6000]);
const second = fragment(18_000, [90_000]);

describe('parseFragments', () => {
  it('reads times and ends of every fragment', () => {
    const { fragments, rest } = parseFragments(concat(first, second));
    expect(rest).toBe(0);
    expect(fragments.map(({ offset, length, times, end }) => ({ offset, length, times, end }))).toEqual([
      { offset: 0, length: first.length, times: [9000, 12_000], end: 18_000 },
      { offset: first.length, length: second.length, times: [18_000], end: 108_000 },
    ]);
  });

  it('keeps what is whole of a segment that grows, at every length', () => {
    const whole = concat(first, second);
    for (let n = 0; n < whole.length; n++) {
      const { fragments, rest } = parseFragments(whole.subarray(0, n));
      expect(fragments).toHaveLength(n < first.length ? 0 : 1);
      expect(rest).toBe(n < first.length ? n : n - first.length);
    }
  });

  it('reads a view into a larger buffer', () => {
    const padded = concat(new Uint8Array(5), first);
    expect(parseFragments(padded.subarray(5)).fragments[0]?.times).toEqual([9000, 12_000]);
  });

  it.each([
    ['garbage', new Uint8Array(64).fill(0x5a)],
    ['zeros', new Uint8Array(64)],
    ['a box that is too small', words(4, 0x6d6f6f66, 0, 0)],
    ['mdat first', box('mdat', words(1))],
    ['moof without traf', concat(box('moof', box('mfhd', words(0, 1))), box('mdat'))],
    ['no durations', fragment(0, [1, 2], 0x205)],
    ['no samples', fragment(0, [])],
    ['moof twice', concat(first.subarray(0, first.length - 14), first)],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseFragments(bytes)).toThrow(CorruptError);
  });

  it('throws nothing but CorruptError for any flipped byte', () => {
    for (let at = 0; at < first.length; at++) {
      const bytes = first.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      try {
        parseFragments(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptError);
      }
    }
  });
});

it('withLastDuration changes the last sample of one fragment, in a copy', () => {
  const whole = concat(first, second);
  const before = whole.slice();
  const [f1] = parseFragments(whole).fragments;
  const patched = withLastDuration(whole, f1!, 777_000);
  expect(whole).toEqual(before);
  expect(parseFragments(patched).fragments[0]).toMatchObject({ times: [9000, 12_000], end: 789_000 });
});
