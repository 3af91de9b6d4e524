/**
 * The binary messages of the data channel `patches` (proxy/webrtcserver/PROTOCOL.md). Malformed ones give null: what follows
 * from them is that a frame stays uncovered, and its tiles hidden.
 */

/** A rectangle of blocks. */
export interface BlockRect {
  x: number;
  y: number;
  w: number;
  h: number;
}

/** A rectangle of pixels. */
export interface PixelRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A rectangle of blocks that a patch shows. */
export interface Part {
  blocks: BlockRect;
  /** The pixels that the patch brings, inside of the blocks. */
  pixels: PixelRect;
  /** For each block, row by row, the patch that has the pixels around those; null when pixels is all there is. */
  bases: number[] | null;
}

export interface Header {
  epoch: number;
  /** The RTP timestamp of a unit. */
  rtp: number;
  /** The picture's size in pixels. */
  width: number;
  height: number;
}

export interface Note extends Header {
  kind: 'note';
  number: number;
  groups: { patch: number; /** Start and length of each run, alternating. */ runs: number[] }[];
}

export interface Patch extends Header {
  kind: 'patch';
  number: number;
  parts: Part[];
  /** The coded pixels (tile.ts); empty when they are restored from a look. */
  data: Uint8Array;
  /** Where the pixels are kept, or restored from; null for neither. */
  look: Look | null;
}

/** A slot of a cell, in its turn. */
export interface Look {
  cell: number;
  /** From 1, without gaps for each cell in an epoch. */
  turn: number;
  slot: number;
  restored: boolean;
}

/** The side of a block in pixels. */
export const blockSize = 16;

/** The size of a cell in blocks, and how many slots each has. */
export const cellCols = 16;
export const cellRows = 8;
export const slotsOfCell = 3;

const maxSide = 16384;
const maxParts = 4096;

/** The number of blocks that cover so many pixels. */
export const blocksOf = (pixels: number) => Math.ceil(pixels / blockSize);

class Malformed extends Error {}

class Reader {
  at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    const b = this.bytes[this.at++];
    if (b === undefined) throw new Malformed();
    return b;
  }

  uint32(): number {
    let v = 0;
    for (let i = 0; i < 4; i++) v = v * 256 + this.byte();
    return v;
  }

  varint(max = 0xffffffff): number {
    let v = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const b = this.byte();
      v += (b & 127) * scale;
      if (b < 128) {
        if (v > max) throw new Malformed();
        return v;
      }
    }
    throw new Malformed();
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }
}

/** Reads a message; null when it is malformed. */
export function parseMessage(bytes: Uint8Array): Note | Patch | null {
  try {
    const r = new Reader(bytes);
    switch (r.byte()) {
      case 1:
        return parseNote(r);
      case 2:
        return parsePatch(r, () => null);
      case 3:
        return parsePatch(r, (header) => parseLook(r, header, false));
      case 4:
        return parsePatch(r, (header) => parseLook(r, header, true));
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

function parseHeader(r: Reader): Header & { number: number } {
  const number = r.varint();
  const epoch = r.varint();
  const rtp = r.uint32();
  const width = r.varint(maxSide);
  const height = r.varint(maxSide);
  if (width === 0 || height === 0) throw new Malformed();
  return { number, epoch, rtp, width, height };
}

function parseNote(r: Reader): Note {
  const header = parseHeader(r);
  const blocks = blocksOf(header.width) * blocksOf(header.height);
  const groups: Note['groups'] = [];
  while (r.left > 0) {
    const patch = r.varint();
    const count = r.varint(blocks);
    const runs: number[] = [];
    let end = 0;
    for (let i = 0; i < count; i++) {
      const start = end + r.varint(blocks);
      const length = r.varint(blocks);
      end = start + length;
      if (end > blocks) throw new Malformed();
      runs.push(start, length);
    }
    groups.push({ patch, runs });
  }
  return { kind: 'note', ...header, groups };
}

function parsePatch(r: Reader, lookOf: (header: Header) => Look | null): Patch {
  const header = parseHeader(r);
  const look = lookOf(header);
  const parts: Part[] = [];
  for (let left = r.varint(maxParts); left > 0; left--) {
    const part = parsePart(r, header);
    if (look && !liesIn(part, look.cell, header)) throw new Malformed();
    parts.push(part);
  }
  if (look?.restored && r.left > 0) throw new Malformed();
  return { kind: 'patch', ...header, parts, data: r.rest(), look };
}

function parseLook(r: Reader, { width, height }: Header, restored: boolean): Look {
  const cells = Math.ceil(blocksOf(width) / cellCols) * Math.ceil(blocksOf(height) / cellRows);
  const look = { cell: r.varint(cells - 1), turn: r.varint(), slot: r.varint(slotsOfCell - 1), restored };
  if (look.turn === 0) throw new Malformed();
  return look;
}

/** Whether a part is whole blocks of a cell. */
function liesIn({ blocks, bases }: Part, cell: number, { width }: Header): boolean {
  const cells = Math.ceil(blocksOf(width) / cellCols);
  const x = blocks.x - (cell % cells) * cellCols;
  const y = blocks.y - Math.floor(cell / cells) * cellRows;
  return bases === null && x >= 0 && x + blocks.w <= cellCols && y >= 0 && y + blocks.h <= cellRows;
}

function parsePart(r: Reader, header: Header & { number: number }): Part {
  const cols = blocksOf(header.width);
  const rows = blocksOf(header.height);
  const blocks = { x: r.varint(cols), y: r.varint(rows), w: r.varint(cols), h: r.varint(rows) };
  const { x, y, w, h } = blocks;
  if (w === 0 || h === 0 || x + w > cols || y + h > rows) throw new Malformed();
  const whole = pixelsOf(blocks, header);
  const count = r.varint(w * h);
  if (count === 0) return { blocks, pixels: whole, bases: null };
  if (count < w * h) throw new Malformed();
  const left = r.varint(whole.width);
  const top = r.varint(whole.height);
  const pixels = {
    x: whole.x + left,
    y: whole.y + top,
    width: r.varint(whole.width - left),
    height: r.varint(whole.height - top),
  };
  if (pixels.width === 0 || pixels.height === 0) throw new Malformed();
  const bases = Array.from({ length: count }, () => {
    const age = r.varint(header.number - 1);
    if (age === 0) throw new Malformed();
    return header.number - age;
  });
  return { blocks, pixels, bases };
}

/** What a rectangle of blocks covers of a picture, in pixels. */
function pixelsOf(blocks: BlockRect, picture: { width: number; height: number }): PixelRect {
  const x = blocks.x * blockSize;
  const y = blocks.y * blockSize;
  return {
    x,
    y,
    width: Math.min(blocks.w * blockSize, picture.width - x),
    height: Math.min(blocks.h * blockSize, picture.height - y),
  };
}
