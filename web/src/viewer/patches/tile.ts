import { inflateSync } from 'fflate';

/** The pixel codec of patches; codec/tile in the gateway describes its form. */

const stored = 0;
const palette = 1;
const planes = 2;
const compressed = 0x10;

interface Size {
  width: number;
  height: number;
}

function bitsFor(colours: number): number {
  if (colours <= 1) return 0;
  if (colours <= 2) return 1;
  if (colours <= 4) return 2;
  return colours <= 16 ? 4 : 8;
}

/** Takes a message apart. */
class Reader {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  take(n: number): Uint8Array {
    if (this.at + n > this.bytes.length) throw new Error('tile: message ends early');
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }

  end(): void {
    if (this.at < this.bytes.length) throw new Error('tile: message goes on after the last pixel');
  }
}

function pixelsIn(sizes: Size[]): number {
  return sizes.reduce((sum, { width, height }) => sum + width * height, 0);
}

/**
 * Takes the planes of n colours (green, red less green, blue less green, each number the difference to the one before), as RGBA,
 * opaque. In the order of memory, so that an RGBA pixel can be copied as one number: four times as fast as its bytes.
 */
function takePlanes(r: Reader, n: number): Uint32Array<ArrayBuffer> {
  const green = r.take(n);
  const red = r.take(n);
  const blue = r.take(n);
  const out = new Uint32Array(n);
  const bytes = new Uint8Array(out.buffer); // takes numbers modulo 256
  for (let i = 0, o = 0, g = 0, rg = 0, bg = 0; i < n; i++, o += 4) {
    g = (g + green[i]!) & 255;
    rg = (rg + red[i]!) & 255;
    bg = (bg + blue[i]!) & 255;
    bytes[o] = rg + g;
    bytes[o + 1] = g;
    bytes[o + 2] = bg + g;
    bytes[o + 3] = 255;
  }
  return out;
}

/** Decodes the parts of a message to RGBA, opaque. Throws on malformed data. */
export function decodeTile(data: Uint8Array, sizes: Size[]): Uint8ClampedArray<ArrayBuffer>[] {
  const mode = data[0];
  if (mode === undefined) throw new Error('tile: message ends early');
  let body = data.subarray(1);
  if (mode & compressed) {
    // One byte more than any mode needs: inflate cuts what does not fit, and the reader then finds too much. It does not look
    // at bytes after the stream, which the gateway's decoder refuses.
    body = inflateSync(body, { out: new Uint8Array(1 + 3 * (256 + pixelsIn(sizes)) + 1) });
  }
  const decode = decoders[mode & ~compressed];
  if (!decode) throw new Error(`tile: unknown mode ${mode}`);
  const r = new Reader(body);
  const parts = decode(r, sizes);
  r.end();
  return parts;
}

type Decoder = (r: Reader, sizes: Size[]) => Uint8ClampedArray<ArrayBuffer>[];

const decoders: Record<number, Decoder | undefined> = {
  [stored]: (r, sizes) =>
    sizes.map(({ width, height }) => {
      const out = new Uint8ClampedArray(width * height * 4);
      const rgb = r.take(width * height * 3);
      for (let i = 0, o = 0; i < rgb.length; i += 3, o += 4) {
        out[o] = rgb[i]!;
        out[o + 1] = rgb[i + 1]!;
        out[o + 2] = rgb[i + 2]!;
        out[o + 3] = 255;
      }
      return out;
    }),

  [palette]: (r, sizes) => {
    const count = r.take(1)[0]! + 1;
    const colours = takePlanes(r, count);
    const bits = bitsFor(count);
    const mask = (1 << bits) - 1;
    return sizes.map(({ width, height }) => {
      const out = new Uint32Array(width * height);
      const stride = Math.ceil((width * bits) / 8);
      for (let y = 0, o = 0; y < height; y++) {
        const row = r.take(stride);
        for (let x = 0, bit = 0; x < width; x++, bit += bits) {
          const index = bits === 0 ? 0 : (row[bit >> 3]! >> (8 - bits - (bit & 7))) & mask;
          if (index >= count) throw new Error('tile: index beyond the palette');
          out[o++] = colours[index]!;
        }
      }
      return new Uint8ClampedArray(out.buffer);
    });
  },

  [planes]: (r, sizes) => {
    const { buffer } = takePlanes(r, pixelsIn(sizes));
    let at = 0;
    return sizes.map(({ width, height }) => {
      const part = new Uint8ClampedArray(buffer, at, width * height * 4);
      at += part.length;
      return part;
    });
  },
};
