import { describe, expect, it } from 'vitest';
import { parseMessage } from './wire';

const bytes = (...values: number[]) => new Uint8Array(values);
const rtp = [0xff, 0xee, 0xdd, 0xcc];
/** A picture of 100×40 pixels: 7×3 blocks. */
const picture = [100, 40];

describe('parseMessage', () => {
  it('reads a note', () => {
    expect(parseMessage(bytes(1, 0x81, 1, 2, ...rtp, ...picture, 0, 2, 1, 3, 4, 1, 9, 1, 20, 1))).toEqual({
      kind: 'note',
      number: 129,
      epoch: 2,
      rtp: 0xffeeddcc,
      width: 100,
      height: 40,
      groups: [
        { patch: 0, runs: [1, 3, 8, 1] },
        { patch: 9, runs: [20, 1] },
      ],
    });
  });

  it('reads a patch', () => {
    expect(parseMessage(bytes(2, 5, 1, ...rtp, ...picture, 2, 0, 0, 7, 1, 6, 2, 1, 1, 42, 43))).toEqual({
      kind: 'patch',
      number: 5,
      epoch: 1,
      rtp: 0xffeeddcc,
      width: 100,
      height: 40,
      rects: [
        { x: 0, y: 0, w: 7, h: 1 },
        { x: 6, y: 2, w: 1, h: 1 },
      ],
      data: bytes(42, 43),
    });
  });

  it.each([
    ['nothing', bytes()],
    ['an unknown kind', bytes(3, 1, 1, ...rtp, ...picture)],
    ['half a header', bytes(1, 1, 1, 0xff)],
    ['a number of six bytes', bytes(1, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 1, ...rtp, ...picture)],
    ['a number beyond 32 bits', bytes(1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, ...rtp, ...picture)],
    ['a picture of no width', bytes(1, 1, 1, ...rtp, 0, 40)],
    ['a picture too high', bytes(1, 1, 1, ...rtp, 100, 0x81, 0x80, 1)],
    ['a run beyond the picture', bytes(1, 1, 1, ...rtp, ...picture, 0, 1, 20, 2)],
    ['fewer runs than said', bytes(1, 1, 1, ...rtp, ...picture, 0, 2, 1, 1)],
    ['a rectangle beyond the picture', bytes(2, 1, 1, ...rtp, ...picture, 1, 6, 0, 2, 1)],
    ['an empty rectangle', bytes(2, 1, 1, ...rtp, ...picture, 1, 0, 0, 0, 1)],
    ['fewer rectangles than said', bytes(2, 1, 1, ...rtp, ...picture, 3, 0, 0, 1, 1)],
  ])('refuses %s', (_what, message) => {
    expect(parseMessage(message)).toBeNull();
  });

  it('survives anything', () => {
    for (let seed = 1; seed < 3000; seed++) {
      const junk = Uint8Array.from(
        { length: seed % 40 },
        (_, i) => (Math.imul(seed * 31 + i, 2654435761) >>> 13) & 255,
      );
      if (junk.length > 0) junk[0] = 1 + (seed % 2);
      parseMessage(junk);
    }
  });
});
