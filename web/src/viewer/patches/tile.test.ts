import { readFileSync } from 'node:fs';
import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { decodeTile } from './tile';

interface Golden {
  Name: string;
  Sizes: [number, number][];
  Coded: string;
  RGBA: string;
}

// What the gateway's own tests decode.
const file = `${import.meta.dirname}/../../../../codec/tile/testdata/messages.json`;
const messages = JSON.parse(readFileSync(file, 'utf8')) as Golden[];
const one = [{ width: 1, height: 1 }];

describe('decodeTile', () => {
  it.each(messages)('decodes what the gateway coded: $Name', ({ Sizes, Coded, RGBA }) => {
    const parts = decodeTile(
      Buffer.from(Coded, 'base64'),
      Sizes.map(([width, height]) => ({ width, height })),
    );
    expect(
      Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.length))).equals(
        Buffer.from(RGBA, 'base64'),
      ),
    ).toBe(true);
  });

  it.each([
    ['nothing', []],
    ['an unknown mode', [3, 0, 0, 0]],
    ['too few pixels', [0, 1, 2]],
    ['too many pixels', [0, 1, 2, 3, 4]],
    ['half a palette', [1, 1, 0, 0, 0]],
    ['no indices', [1, 1, 0, 0, 0, 1, 1, 1]],
    ['an index beyond the palette', [1, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0xc0]],
    ['too few planes', [2, 1, 2]],
    ['junk for a stream', [0x11, 0xff, 0xff, 0xff]],
  ])('refuses %s', (_what, data) => {
    expect(() => decodeTile(new Uint8Array(data), one)).toThrow();
  });

  it('refuses the message of a larger picture', () => {
    for (const { Coded } of messages.filter((m) => m.Name !== 'one colour')) {
      expect(() => decodeTile(Buffer.from(Coded, 'base64'), one)).toThrow();
    }
  });

  it.each([
    ['planes', 0x12, 3, one],
    ['planes, cut where inflate has no more room', 0x12, 100_000, one],
    ['a palette of 256', 0x11, 1 + 3 * 256 + 1, one],
    ['a palette of 256 of no pixels, cut', 0x11, 100_000, []],
  ])('refuses a stream that holds too much: %s', (_what, mode, length, sizes) => {
    const body = new Uint8Array(length + 1);
    body[0] = mode === 0x11 ? 255 : 0;
    expect(() => decodeTile(Uint8Array.from([mode, ...deflateSync(body)]), sizes)).toThrow('goes on');
  });
});
