import { blocksOf, type Header, type Note, type Patch } from './wire';

/** What is to be done with the canvas. */
export interface Canvas {
  /** The picture has another size: the canvas is as large, and empty. */
  resize: (width: number, height: number) => void;
  /** Shows a block as it was last drawn behind the scenes. */
  show: (x: number, y: number) => void;
  clear: (x: number, y: number) => void;
}

/** Takes the pixels that a part of a patch has of a block. */
type Accept = (part: number, x: number, y: number) => void;

/** True when RTP timestamp a is not older than b. */
export const notOlder = (a: number, b: number) => ((a - b) | 0) >= 0;

const nothing = 0;
const tile = 1;
const oldTile = 2;

/** Notes of units that were not presented yet; beyond this the oldest count as presented. */
const maxWaiting = 256;

/** Patches that wait for others. A gateway has fewer under way. */
const maxWaitingPatches = 4096;

/**
 * Decides which tiles lie over the video: PROTOCOL.md's rules of the viewer, without pixels. A tile is shown unless the
 * presented frame is newer there, or may be.
 */
export class Composer {
  private epoch = 0;
  private cols = 0;
  /** RTP timestamp of the epoch's first applied note; null before it. */
  private begin: number | null = null;
  /** Of each block: the patch whose pixels are there, shown or not, 0 for none. */
  private has = new Float64Array(0);
  /** Of each block: that patch while it may be shown, else 0, and the unit after which it was made. */
  private patch = new Float64Array(0);
  private after = new Float64Array(0);
  /** Of each block: the newest presented unit that changed it, -1 for none, and the patch it looks like there. */
  private changed = new Float64Array(0);
  private asIn = new Float64Array(0);
  /** What the canvas has of each block: nothing, its tile, or one that is out of date. */
  private shown = new Uint8Array(0);

  /** Patches that came before what they build on. */
  private waiting: { patch: Patch; accept: Accept }[] = [];
  private readonly notes = new Map<number, Note>();
  private next = 1;
  /** RTP timestamp of the last applied note. */
  private reach: number | null = null;
  /** RTP timestamp of the presented frame. */
  private presented: number | null = null;
  private hidden = false;
  private doubt = false;

  constructor(private readonly canvas: Canvas) {}

  note(note: Note): void {
    if (note.number < this.next) return;
    this.notes.set(note.number, note);
    this.apply();
  }

  /**
   * Takes a patch, now or once what it builds on is there; accept is called for each block whose pixels are wanted, before it
   * is shown.
   */
  take(patch: Patch, accept: Accept): void {
    if (!this.enter(patch)) return;
    this.waiting.push({ patch, accept });
    if (this.waiting.length > maxWaitingPatches) this.waiting.shift();
    for (let i = 0; i < this.waiting.length; i++) {
      const next = this.waiting[i]!;
      if (!this.ready(next.patch)) continue;
      this.waiting.splice(i, 1);
      this.accept(next.patch, next.accept);
      i = -1; // others may build on it
    }
  }

  /** Whether each block of a patch is as its base, or newer than the patch. */
  private ready({ parts, number }: Patch): boolean {
    return parts.every(
      ({ blocks, bases }) =>
        bases === null ||
        bases.every((base, i) => {
          const has =
            this.has[(blocks.y + Math.floor(i / blocks.w)) * this.cols + blocks.x + (i % blocks.w)]!;
          return has === base || has >= number;
        }),
    );
  }

  private accept(patch: Patch, accept: Accept): void {
    patch.parts.forEach(({ blocks }, i) => {
      for (let y = blocks.y; y < blocks.y + blocks.h; y++) {
        for (let x = blocks.x; x < blocks.x + blocks.w; x++) {
          const block = y * this.cols + x;
          if (patch.number <= this.has[block]!) continue;
          accept(i, x, y);
          this.has[block] = patch.number;
          const current = this.current(block, patch.number, patch.rtp);
          this.patch[block] = current ? patch.number : 0;
          this.after[block] = patch.rtp;
          if (this.shown[block] === tile) this.shown[block] = oldTile;
          this.update(block);
        }
      }
    });
  }

  /** A frame is on the screen. */
  present(rtp: number): void {
    this.presented = rtp;
    this.apply();
  }

  /** A hidden page is told of no frames. */
  setHidden(hidden: boolean): void {
    this.hidden = hidden;
    this.apply();
  }

  /** Begins the epoch of a message; false when it is an older one. */
  private enter(m: Header): boolean {
    if (m.epoch > this.epoch) {
      this.epoch = m.epoch;
      this.begin = null;
      this.cols = blocksOf(m.width);
      const blocks = this.cols * blocksOf(m.height);
      this.has = new Float64Array(blocks);
      this.patch = new Float64Array(blocks);
      this.after = new Float64Array(blocks);
      this.changed = new Float64Array(blocks).fill(-1);
      this.asIn = new Float64Array(blocks);
      this.shown = new Uint8Array(blocks);
      this.waiting = [];
      this.canvas.resize(m.width, m.height);
    }
    return m.epoch === this.epoch;
  }

  private current(block: number, patch: number, after: number): boolean {
    const changed = this.changed[block]!;
    const asIn = this.asIn[block]!;
    return changed < 0 || notOlder(after, changed) || (asIn > 0 && patch >= asIn);
  }

  /** Applies the notes of presented units, in order, and then shows and hides what that changes. */
  private apply(): void {
    for (let note = this.notes.get(this.next); note; note = this.notes.get(this.next)) {
      const due = this.presented !== null && notOlder(this.presented, note.rtp);
      if (!due && !this.hidden && this.notes.size <= maxWaiting) break;
      this.notes.delete(this.next++);
      this.reach = note.rtp;
      if (this.enter(note)) this.applyNote(note);
    }
    const { presented, reach } = this;
    const began =
      this.begin !== null && (this.hidden || (presented !== null && notOlder(presented, this.begin)));
    const doubt =
      !began || (!this.hidden && (reach === null || presented === null || !notOlder(reach, presented)));
    // While in doubt, every frame puts more tiles in doubt.
    if (doubt || this.doubt) {
      this.doubt = doubt;
      for (let block = 0; block < this.patch.length; block++) this.update(block);
    }
  }

  private applyNote(note: Note): void {
    this.begin ??= note.rtp;
    for (const { patch, runs } of note.groups) {
      for (let i = 0; i < runs.length; i += 2) {
        const start = runs[i]!;
        for (let block = start; block < start + runs[i + 1]!; block++) {
          this.changed[block] = note.rtp;
          this.asIn[block] = patch;
          if (this.patch[block]! > 0 && !this.current(block, this.patch[block]!, this.after[block]!)) {
            this.patch[block] = 0;
            this.update(block);
          }
        }
      }
    }
  }

  /** Brings the canvas in line with what is to be seen of a block. */
  private update(block: number): void {
    const began = this.begin !== null;
    const sure =
      !this.doubt || (began && this.presented !== null && notOlder(this.after[block]!, this.presented));
    const wanted = this.patch[block]! > 0 && began && sure ? tile : nothing;
    if (wanted === this.shown[block]) return;
    this.shown[block] = wanted;
    const x = block % this.cols;
    const y = Math.floor(block / this.cols);
    if (wanted === tile) this.canvas.show(x, y);
    else this.canvas.clear(x, y);
  }
}
