import { Composer } from './composer';
import { inSlot, Looks, slotStride, type Slot } from './looks';
import { decodeTile } from './tile';
import { blockSize, parseMessage, type Patch, type PixelRect } from './wire';

/** What the page says to the worker. */
export type ToWorker =
  | { t: 'canvas'; canvas: OffscreenCanvas }
  | { t: 'message'; data: ArrayBuffer }
  | { t: 'frame'; rtp: number }
  | { t: 'hidden'; hidden: boolean }
  /** A new connection: nothing of the old one counts. */
  | { t: 'reset'; hidden: boolean };

/** What the worker says to the page: the size of the canvas in remote pixels. */
export interface FromWorker {
  t: 'size';
  width: number;
  height: number;
}

declare const self: {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage: (message: FromWorker) => void;
};

/**
 * Keeps the exact pixels that came, and draws on the canvas those that may be shown. The pixels lie in memory and not on a
 * second canvas, because putImageData is what copies opaque pixels exactly, and a tile is copied twice in its life.
 */
class Screen {
  private readonly composer: Composer;
  private readonly looks = new Looks();
  private pixels = new ImageData(1, 1);
  /** Blocks to be shown together: a row's neighbours in one call. */
  private run = { x: 0, y: -1, n: 0 };

  constructor(
    private readonly canvas: OffscreenCanvas,
    private readonly context: OffscreenCanvasRenderingContext2D,
  ) {
    this.composer = new Composer({
      resize: (width, height) => this.resize(width, height),
      show: (x, y) => this.show(x, y),
      clear: (x, y) => this.context.clearRect(x * blockSize, y * blockSize, blockSize, blockSize),
    });
    context.clearRect(0, 0, canvas.width, canvas.height);
  }

  message(data: ArrayBuffer): void {
    const message = parseMessage(new Uint8Array(data));
    if (message?.kind === 'note') this.composer.note(message);
    else if (message) this.patch(message);
    this.flush();
  }

  present(rtp: number): void {
    this.composer.present(rtp);
    this.flush();
  }

  setHidden(hidden: boolean): void {
    this.composer.setHidden(hidden);
    this.flush();
  }

  private patch(patch: Patch): void {
    const { parts, look } = patch;
    if (look?.restored) {
      this.looks.inTurn(patch, (slot) => {
        this.composer.take(patch, (part, x, y) => this.restore(parts[part]!.pixels, x, y, slot));
      });
      return;
    }
    const decoded = decodeTile(
      patch.data,
      parts.map((part) => part.pixels),
    ); // throws before the composer has believed anything
    this.composer.take(patch, (part, x, y) => this.draw(parts[part]!.pixels, x, y, decoded[part]!));
    this.looks.inTurn(patch, (slot) => {
      parts.forEach(({ blocks, pixels }, part) => {
        for (let y = blocks.y; y < blocks.y + blocks.h; y++)
          for (let x = blocks.x; x < blocks.x + blocks.w; x++) keep(pixels, x, y, decoded[part]!, slot);
      });
    });
  }

  /** Draws the block's pixels that are in a part. */
  private draw(part: PixelRect, x: number, y: number, decoded: Slot): void {
    const { left, right, top, bottom } = inBlock(part, x, y);
    const { data, width } = this.pixels;
    for (let row = top; row < bottom; row++) {
      const from = ((row - part.y) * part.width + left - part.x) * 4;
      data.set(decoded.subarray(from, from + Math.max(0, right - left) * 4), (row * width + left) * 4);
    }
  }

  private restore(part: PixelRect, x: number, y: number, slot: Slot): void {
    const { left, right, top, bottom } = inBlock(part, x, y);
    const { data, width } = this.pixels;
    for (let row = top, from = inSlot(x, y); row < bottom; row++, from += slotStride) {
      data.set(slot.subarray(from, from + (right - left) * 4), (row * width + left) * 4);
    }
  }

  private resize(width: number, height: number): void {
    this.run.n = 0;
    this.canvas.width = width;
    this.canvas.height = height;
    this.pixels = new ImageData(width, height);
    self.postMessage({ t: 'size', width, height });
  }

  private show(x: number, y: number): void {
    const { run } = this;
    if (run.n > 0 && run.y === y && run.x + run.n === x) {
      run.n++;
      return;
    }
    this.flush();
    this.run = { x, y, n: 1 };
  }

  private flush(): void {
    const { x, y, n } = this.run;
    if (n === 0) return;
    this.run.n = 0;
    this.context.putImageData(this.pixels, 0, 0, x * blockSize, y * blockSize, n * blockSize, blockSize);
  }
}

/** What a part has of a block, in pixels. */
function inBlock(part: PixelRect, x: number, y: number) {
  return {
    left: Math.max(x * blockSize, part.x),
    right: Math.min((x + 1) * blockSize, part.x + part.width),
    top: Math.max(y * blockSize, part.y),
    bottom: Math.min((y + 1) * blockSize, part.y + part.height),
  };
}

/** Keeps a whole block's pixels. */
function keep(part: PixelRect, x: number, y: number, decoded: Slot, slot: Slot): void {
  const { left, right, top, bottom } = inBlock(part, x, y);
  for (let row = top, to = inSlot(x, y); row < bottom; row++, to += slotStride) {
    const from = ((row - part.y) * part.width + left - part.x) * 4;
    slot.set(decoded.subarray(from, from + (right - left) * 4), to);
  }
}

let canvas: OffscreenCanvas | null = null;
let context: OffscreenCanvasRenderingContext2D | null = null;
let screen: Screen | null = null;

self.onmessage = ({ data: message }) => {
  switch (message.t) {
    case 'canvas':
      canvas = message.canvas;
      // Written tile by tile and never drawn from: memory is the right place for it.
      context = canvas.getContext('2d', { willReadFrequently: true });
      if (!context) throw new Error('no 2d context');
      break;
    case 'reset':
      if (!canvas || !context) break;
      screen = new Screen(canvas, context);
      screen.setHidden(message.hidden);
      break;
    case 'message':
      screen?.message(message.data);
      break;
    case 'frame':
      screen?.present(message.rtp);
      break;
    case 'hidden':
      screen?.setHidden(message.hidden);
      break;
  }
};
