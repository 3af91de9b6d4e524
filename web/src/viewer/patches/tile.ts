import { inflateSync } from 'fflate';

/** The pixel codec of patches; codec/tile in the gateway describes its form. */

const stored = 0;
const palette = 1;
const residual = 2;
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

/** Decodes the parts of a message to RGBA, opaque. Throws on malformed data. */
export function decodeTile(data: Uint8Array, sizes: Size[]): Uint8ClampedArray<ArrayBuffer>[] {
  const mode = data[0];
  if (mode === undefined) throw new Error('tile: message ends early');
  let body = data.subarray(1);
  if (mode & compressed) {
    // No mode needs more; what does not fit is malformed, and inflate says so.
    const most = sizes.reduce((sum, s) => sum + 3 * s.width * s.height, 0) + 1 + 3 * 256;
    body = inflateSync(body, { out: new Uint8Array(most) });
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
    // Green, red less green, blue less green, each as the difference to the colour before.
    const planes = r.take(3 * count);
    // In the order of memory: an RGBA pixel at a time is four times as fast as its bytes.
    const colours = new Uint32Array(count);
    const bytes = new Uint8Array(colours.buffer);
    for (let i = 0, g = 0, rg = 0, bg = 0; i < count; i++) {
      g += planes[i]!;
      rg += planes[count + i]!;
      bg += planes[2 * count + i]!;
      bytes.set([rg + g, g, bg + g, 255], 4 * i); // modulo 256
    }
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

  [residual]: (r, sizes) =>
    sizes.map(({ width, height }) => {
      const out = new Uint8ClampedArray(width * height * 4);
      // Green, red less green, blue less green: of the row above, and of this one.
      let above = new Uint8Array(3 * width);
      let here = new Uint8Array(3 * width);
      for (let y = 0; y < height; y++) {
        const row = r.take(3 * width);
        for (let c = 0; c < 3; c++) {
          let left = 0;
          let corner = 0;
          for (let i = c * width; i < (c + 1) * width; i++) {
            const over = above[i]!;
            left = here[i] = (row[i]! + median(left, over, corner)) & 255;
            corner = over;
          }
        }
        for (let x = 0, o = y * width * 4; x < width; x++, o += 4) {
          const green = here[x]!;
          out[o] = (here[x + width]! + green) & 255;
          out[o + 1] = green;
          out[o + 2] = (here[x + 2 * width]! + green) & 255;
          out[o + 3] = 255;
        }
        [above, here] = [here, above];
      }
      return out;
    }),
};

/** The predictor of LOCO-I. */
function median(left: number, above: number, corner: number): number {
  const lo = Math.min(left, above);
  const hi = Math.max(left, above);
  if (corner >= hi) return lo;
  if (corner <= lo) return hi;
  return left + above - corner;
}
