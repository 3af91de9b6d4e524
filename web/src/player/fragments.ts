/**
 * Reads the structure of media segments (internal/recording/FORMAT.md): fragments of one moof and one mdat, one
 * track, times in 1/90000 s, a duration for every sample ([ISO/IEC 14496-12] 8.8).
 */

/** Ticks of a second in every recording. */
export const timescale = 90_000;

/** One moof and its mdat. */
export interface Fragment {
  /** Place and length in the segment, in bytes. */
  offset: number;
  length: number;
  /** Decode time of each sample, in ticks. */
  times: number[];
  /** End of the last sample, in ticks. */
  end: number;
  /** Where the last sample's duration lies, from the segment's start: 4 bytes, big endian. */
  lastDurationAt: number;
}

/** A segment whose bytes are not what a segment is made of. */
export class CorruptError extends Error {
  override readonly name = 'CorruptError';
}

/** More samples than any fragment has: 4 s at 60 a second, with room. */
const maxSamples = 100_000;

interface Box {
  type: string;
  /** First byte of the content. */
  body: number;
  end: number;
}

/**
 * The whole fragments of a segment, and how many bytes follow the last of them: more than none in a segment that
 * still grows. Throws CorruptError.
 */
export function parseFragments(data: Uint8Array): { fragments: Fragment[]; rest: number } {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const fragments: Fragment[] = [];
  let at = 0;
  while (at < data.length) {
    const moof = readBox(view, at, data.length);
    if (!moof) break;
    if (moof.type !== 'moof')
      throw new CorruptError(`a box of type ${moof.type} at byte ${at}, where moof must be`);
    const mdat = readBox(view, moof.end, data.length);
    if (!mdat) break;
    if (mdat.type !== 'mdat') {
      throw new CorruptError(`a box of type ${mdat.type} at byte ${moof.end}, where mdat must be`);
    }
    fragments.push({ ...parseMoof(view, moof), offset: at, length: mdat.end - at });
    at = mdat.end;
  }
  return { fragments, rest: data.length - at };
}

/** The box at a place; null when it is not wholly there. */
function readBox(view: DataView, at: number, end: number): Box | null {
  if (at + 8 > end) return null;
  const size = view.getUint32(at);
  if (size < 8) throw new CorruptError(`a box of ${size} bytes at byte ${at}`);
  const codes = [4, 5, 6, 7].map((i) => view.getUint8(at + i));
  // A box that is not text is no box; without this, garbage would pass for one that has not arrived yet.
  if (codes.some((c) => c < 0x20 || c > 0x7e)) throw new CorruptError(`no box at byte ${at}`);
  const type = String.fromCharCode(...codes);
  if (!/^(moof|mdat|mfhd|traf|tfhd|tfdt|trun|free|skip|styp|sidx|prft|emsg)$/.test(type)) {
    throw new CorruptError(`a box of type ${type} at byte ${at}`);
  }
  return at + size > end ? null : { type, body: at + 8, end: at + size };
}

function child(view: DataView, parent: Box, type: string): Box {
  for (let at = parent.body; at < parent.end;) {
    const box = readBox(view, at, parent.end);
    if (!box) break;
    if (box.type === type) return box;
    at = box.end;
  }
  throw new CorruptError(`no ${type} in ${parent.type}`);
}

function need(box: Box, bytes: number): void {
  if (box.end - box.body < bytes)
    throw new CorruptError(`${box.type} of ${box.end - box.body} bytes, need ${bytes}`);
}

function parseMoof(view: DataView, moof: Box): Pick<Fragment, 'times' | 'end' | 'lastDurationAt'> {
  const traf = child(view, moof, 'traf');
  const tfdt = child(view, traf, 'tfdt');
  need(tfdt, 8);
  const long = view.getUint8(tfdt.body) === 1;
  if (long) need(tfdt, 12);
  const start = long ? Number(view.getBigUint64(tfdt.body + 4)) : view.getUint32(tfdt.body + 4);

  const trun = child(view, traf, 'trun');
  need(trun, 8);
  const flags = view.getUint32(trun.body) & 0xffffff;
  const count = view.getUint32(trun.body + 4);
  if (count === 0 || count > maxSamples) throw new CorruptError(`${count} samples in a fragment`);
  if (!(flags & 0x100)) throw new CorruptError('samples without durations');
  const first = 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  const stride = [0x100, 0x200, 0x400, 0x800].reduce((sum, flag) => sum + (flags & flag ? 4 : 0), 0);
  need(trun, first + count * stride);

  const times: number[] = [];
  let time = start;
  let lastDurationAt = 0;
  for (let i = 0; i < count; i++) {
    lastDurationAt = trun.body + first + i * stride;
    times.push(time);
    time += view.getUint32(lastDurationAt);
  }
  return { times, end: time, lastDurationAt };
}

/**
 * A copy of a fragment whose last sample lasts `ticks`. The last picture of a recording that runs is still
 * growing: given a duration longer than it can ever have, what follows it later does not look like a gap to the
 * browser, which would otherwise drop everything up to the next key frame.
 */
export function withLastDuration(segment: Uint8Array, fragment: Fragment, ticks: number): Uint8Array {
  const copy = segment.slice(fragment.offset, fragment.offset + fragment.length);
  new DataView(copy.buffer).setUint32(fragment.lastDurationAt - fragment.offset, ticks);
  return copy;
}
