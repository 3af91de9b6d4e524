import { describe, expect, it } from 'vitest';
import { parseMessage } from './wire';

const bytes = (...values: number[]) => new Uint8Array(values);
const rtp = [0xff, 0xee, 0xdd, 0xcc];
/** A picture of 100×40 pixels: 7×3 blocks. */
const picture = [100, 40];

/** The ninth patch of the picture. */
const patch = (...parts: number[]) => bytes(2, 9, 1, ...rtp, ...picture, ...parts);

/** The same of a picture of 300×140 pixels: 19×9 blocks, four cells. */
const cell = (kind: number, ...rest: number[]) => bytes(kind, 9, 1, ...rtp, 0xac, 2, 0x8c, 1, ...rest);

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
    const whole = [0, 0, 7, 1, 0];
    const change = [5, 2, 2, 1, 2, 3, 1, 16, 7, 2, 5];
    expect(parseMessage(bytes(2, 9, 1, ...rtp, ...picture, 2, ...whole, ...change, 42, 43))).toEqual({
      kind: 'patch',
      number: 9,
      epoch: 1,
      rtp: 0xffeeddcc,
      width: 100,
      height: 40,
      parts: [
        {
          blocks: { x: 0, y: 0, w: 7, h: 1 },
          pixels: { x: 0, y: 0, width: 100, height: 16 },
          bases: null,
        },
        {
          blocks: { x: 5, y: 2, w: 2, h: 1 },
          pixels: { x: 83, y: 33, width: 16, height: 7 },
          bases: [7, 4],
        },
      ],
      data: bytes(42, 43),
      look: null,
    });
  });

  it('reads what is to be kept, and restored', () => {
    const restored = {
      kind: 'patch',
      number: 9,
      epoch: 1,
      rtp: 0xffeeddcc,
      width: 300,
      height: 140,
      parts: [
        {
          blocks: { x: 17, y: 8, w: 2, h: 1 },
          pixels: { x: 272, y: 128, width: 28, height: 12 },
          bases: null,
        },
      ],
      data: bytes(),
      look: { cell: 3, turn: 129, slot: 2, restored: true },
    };
    expect(parseMessage(cell(4, 3, 0x81, 1, 2, 1, 17, 8, 2, 1, 0))).toEqual(restored);
    expect(parseMessage(cell(3, 3, 0x81, 1, 2, 1, 17, 8, 2, 1, 0, 42))).toEqual({
      ...restored,
      data: bytes(42),
      look: { ...restored.look, restored: false },
    });
  });

  it.each([
    ['nothing', bytes()],
    ['an unknown kind', bytes(5, 1, 1, ...rtp, ...picture)],
    ['a cell beyond the picture', cell(4, 4, 1, 0, 0)],
    ['a look before the first', cell(4, 0, 0, 0, 0)],
    ['a slot beyond the last', cell(4, 0, 1, 3, 0)],
    ['a part left of its cell', cell(4, 3, 1, 0, 1, 15, 8, 2, 1, 0)],
    ['a part right of its cell', cell(4, 2, 1, 0, 1, 15, 8, 2, 1, 0)],
    ['a part above its cell', cell(4, 3, 1, 0, 1, 17, 7, 2, 2, 0)],
    ['a part below its cell', cell(4, 1, 1, 0, 1, 17, 7, 2, 2, 0)],
    ['bases of what is kept', cell(3, 3, 1, 0, 1, 17, 8, 1, 1, 1, 0, 0, 1, 1, 1)],
    ['pixels of what is restored', cell(4, 3, 1, 0, 1, 17, 8, 2, 1, 0, 42)],
    ['half a header', bytes(1, 1, 1, 0xff)],
    ['a number of six bytes', bytes(1, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 1, ...rtp, ...picture)],
    ['a number beyond 32 bits', bytes(1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, ...rtp, ...picture)],
    ['a probe', bytes(0)],
    ['a picture of no width', bytes(1, 1, 1, ...rtp, 0, 40)],
    ['a picture too high', bytes(1, 1, 1, ...rtp, 100, 0x81, 0x80, 1)],
    ['a run beyond the picture', bytes(1, 1, 1, ...rtp, ...picture, 0, 1, 20, 2)],
    ['fewer runs than said', bytes(1, 1, 1, ...rtp, ...picture, 0, 2, 1, 1)],
    ['a part beyond the picture', patch(1, 6, 0, 2, 1, 0)],
    ['an empty part', patch(1, 0, 0, 0, 1, 0)],
    ['fewer parts than said', patch(3, 0, 0, 1, 1, 0)],
    ['fewer bases than blocks', patch(1, 0, 0, 2, 1, 1, 0, 0, 1, 1, 1)],
    ['more bases than blocks', patch(1, 0, 0, 1, 1, 2, 0, 0, 1, 1, 1, 1)],
    ['pixels beyond their blocks', patch(1, 0, 0, 1, 1, 1, 4, 0, 13, 1, 1)],
    ['pixels beyond the picture', patch(1, 0, 2, 1, 1, 1, 0, 4, 1, 5, 1)],
    ['no pixels', patch(1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1)],
    ['a patch that is its own base', patch(1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0)],
    ['a base before the first', patch(1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 9)],
  ])('refuses %s', (_what, message) => {
    expect(parseMessage(message)).toBeNull();
  });

  it('survives anything', () => {
    for (let seed = 1; seed < 3000; seed++) {
      const junk = Uint8Array.from(
        { length: seed % 40 },
        (_, i) => (Math.imul(seed * 31 + i, 2654435761) >>> 13) & 255,
      );
      if (junk.length > 0) junk[0] = 1 + (seed % 4);
      parseMessage(junk);
    }
  });
});
