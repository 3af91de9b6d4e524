import { describe, expect, it } from 'vitest';
import { Composer } from './composer';
import type { Note, Patch } from './wire';

/** A small generator of numbers that look random (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const cols = 5;
const blocks = cols * 4;
const size = { width: cols * 16, height: 64 };

interface Frame {
  rtp: number;
  content: number[];
}

/** A gateway whose picture is one rising number a block, and all it sent that has not arrived. */
class Gateway {
  readonly content = new Array<number>(blocks).fill(0);
  readonly frames: Frame[] = [];
  readonly messages: (Note | { patch: Patch; added: Map<number, { base: number; value: number }> })[] = [];
  private value = 0;
  private patches = 0;
  private notes = 0;
  private rtp = 0xffffff00; // near the end of its range
  private units = 0;
  private readonly changed = new Set<number>();
  private readonly patchOf = new Array<number>(blocks).fill(0);
  /** Of each block: the last patch, and the content that it has. */
  private readonly sent = new Array<number>(blocks).fill(0);
  private readonly known = new Array<number>(blocks).fill(0);

  constructor(private readonly epoch: number) {}

  draw(picked: number[]): void {
    for (const block of picked) {
      this.content[block] = ++this.value;
      this.changed.add(block);
      this.patchOf[block] = 0;
    }
  }

  unit(silent: boolean): void {
    this.rtp = (this.rtp + 90) >>> 0;
    this.units++;
    this.frames.push({ rtp: this.rtp, content: [...this.content] });
    if (silent) return; // a later note tells of it
    const groups = new Map<number, number[]>();
    for (const block of this.changed) {
      const runs = groups.get(this.patchOf[block]!) ?? [];
      runs.push(block, 1);
      groups.set(this.patchOf[block]!, runs);
    }
    this.changed.clear();
    this.messages.push({
      kind: 'note',
      number: ++this.notes,
      epoch: this.epoch,
      rtp: this.rtp,
      ...size,
      groups: [...groups].map(([patch, runs]) => ({ patch, runs })),
    });
  }

  patch(picked: number[]): void {
    if (this.units === 0) return;
    const number = ++this.patches;
    for (const block of picked) this.patchOf[block] = number;
    // With a base, a patch brings what was added to the content that the base has.
    const added = new Map<number, { base: number; value: number }>();
    const parts = picked.map((b) => {
      const blocks = { x: b % cols, y: Math.floor(b / cols), w: 1, h: 1 };
      const pixels = { x: blocks.x * 16, y: blocks.y * 16, width: 16, height: 16 };
      const base = this.sent[b]!;
      added.set(b, { base, value: this.content[b]! - (base && this.known[b]!) });
      this.sent[b] = number;
      this.known[b] = this.content[b]!;
      return { blocks, pixels, bases: base ? [base] : null };
    });
    const patch: Patch = {
      kind: 'patch',
      number,
      epoch: this.epoch,
      rtp: this.rtp,
      ...size,
      parts,
      data: new Uint8Array(),
      look: null,
    };
    this.messages.push({ patch, added });
  }
}

/** What a person sees: tiles over the presented frame. */
class Person {
  readonly drawn = new Array<number>(blocks).fill(-1);
  readonly canvas = new Array<number>(blocks).fill(-1);
  frame: Frame | null = null;
  readonly composer = new Composer({
    resize: () => this.canvas.fill(-1),
    show: (x, y) => (this.canvas[y * cols + x] = this.drawn[y * cols + x]!),
    clear: (x, y) => (this.canvas[y * cols + x] = -1),
  });
  private last = new Array<number>(blocks).fill(-1);

  take(message: Gateway['messages'][number]): void {
    if ('patch' in message) {
      this.composer.take(message.patch, (_part, x, y) => {
        const block = y * cols + x;
        const { base, value } = message.added.get(block)!;
        this.drawn[block] = value + (base ? this.drawn[block]! : 0);
      });
    } else {
      this.composer.note(message);
    }
  }

  present(frame: Frame): void {
    this.frame = frame;
    this.composer.present(frame.rtp);
  }

  check(when: string): void {
    const { frame } = this;
    if (!frame) return;
    for (let block = 0; block < blocks; block++) {
      const tile = this.canvas[block]!;
      const seen = tile >= 0 ? tile : frame.content[block]!;
      if (seen < frame.content[block]!)
        throw new Error(`${when}: block ${block} is ${seen} over ${frame.content[block]}`);
      if (seen < this.last[block]!)
        throw new Error(`${when}: block ${block} is ${seen} and was ${this.last[block]}`);
      this.last[block] = seen;
    }
  }
}

describe('Composer', () => {
  it.each(Array.from({ length: 200 }, (_, seed) => seed))('shows nothing stale in any order (%i)', (seed) => {
    const next = random(seed);
    const pick = (n: number) => Math.floor(next() * n);
    const some = () =>
      [...new Set(Array.from({ length: 1 + pick(6) }, () => pick(blocks)))].sort((a, b) => a - b);
    const gateway = new Gateway(1);
    const person = new Person();
    for (let step = 0; step < 300; step++) {
      switch (pick(6)) {
        case 0:
        case 1: {
          const drawn = some();
          gateway.draw(drawn);
          if (next() < 0.5) gateway.patch(drawn);
          break;
        }
        case 2:
          gateway.unit(next() < 0.15);
          break;
        case 3:
          gateway.patch(some());
          break;
        case 4:
          for (let n = pick(4); n > 0 && gateway.messages.length > 0; n--) {
            const at = pick(Math.min(5, gateway.messages.length));
            const message = gateway.messages[at]!;
            // Over a link that loses packets, messages may come twice.
            if (next() < 0.8) gateway.messages.splice(at, 1);
            person.take(message);
            person.check(`seed ${seed}, step ${step}, message`);
          }
          break;
        case 5:
          if (gateway.frames.length > 0) {
            person.present(gateway.frames.splice(0, 1 + pick(gateway.frames.length)).at(-1)!);
            person.check(`seed ${seed}, step ${step}, frame`);
          }
          break;
      }
    }
    gateway.unit(false);
    const all = Array.from({ length: blocks }, (_, b) => b);
    gateway.patch(all);
    for (const message of gateway.messages.splice(0)) person.take(message);
    person.present(gateway.frames.at(-1)!);
    person.check('at rest');
    expect(person.canvas).toEqual(gateway.content);
  });

  it('forgets the tiles of an older epoch', () => {
    const person = new Person();
    const old = new Gateway(1);
    old.unit(false);
    old.patch([0, 1]);
    for (const message of old.messages) person.take(message);
    person.present(old.frames[0]!);
    expect(person.canvas[0]).toBe(0);
    const fresh = new Gateway(2);
    fresh.unit(false);
    person.take({ ...(fresh.messages[0] as Note), number: 2 }); // notes are counted on
    person.present(fresh.frames[0]!);
    person.take(old.messages[1]!); // late
    expect(person.canvas.every((v) => v === -1)).toBe(true);
  });

  it('counts notes as presented while the page is hidden', () => {
    const person = new Person();
    const gateway = new Gateway(1);
    gateway.unit(false);
    gateway.patch([3]);
    for (const message of gateway.messages.splice(0)) person.take(message);
    person.present(gateway.frames[0]!);
    expect(person.canvas[3]).toBe(0);
    person.composer.setHidden(true);
    gateway.draw([3]);
    gateway.unit(false);
    person.take(gateway.messages[0]!);
    expect(person.canvas[3]).toBe(-1);
  });
});
