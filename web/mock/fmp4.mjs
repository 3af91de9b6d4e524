// Makes a recording like the gateway's out of ffmpeg's test pictures: segments of whole fragments, a still
// stretch, sync segments far apart, and a change of size.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const timescale = 90000;

function boxes(buffer, start = 0, end = buffer.length) {
  const found = [];
  for (let at = start; at + 8 <= end;) {
    const size = buffer.readUInt32BE(at);
    found.push({ type: buffer.toString('latin1', at + 4, at + 8), start: at, end: at + size });
    at += size;
  }
  return found;
}

function inside(buffer, box, type) {
  return boxes(buffer, box.start + 8, box.end).find((b) => b.type === type);
}

/** One encode of `seconds` seconds as { init, fragments: [{ bytes, start, duration, sync }] }. */
function encode(folder, { name, size, rate, seconds, still, offset }) {
  const file = join(folder, `${name}.mp4`);
  execFileSync('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${rate}:duration=${seconds}`],
    ...['-vf', `select='not(between(t,${still[0]},${still[1]}))'`, '-fps_mode', 'vfr'],
    ...[
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-profile:v',
      'baseline',
      '-pix_fmt',
      'yuv420p',
      '-crf',
      '30',
    ],
    ...[
      '-g',
      '100000',
      '-keyint_min',
      '1',
      '-force_key_frames',
      '0,24',
      '-video_track_timescale',
      String(timescale),
    ],
    ...['-movflags', 'empty_moov+default_base_moof', '-frag_duration', '1000000', '-y', file],
  ]);
  const buffer = readFileSync(file);
  const top = boxes(buffer);
  const init = buffer.subarray(0, top.find((b) => b.type === 'moov').end);
  const fragments = [];
  for (const [i, moof] of top.entries()) {
    if (moof.type !== 'moof') continue;
    const mdat = top[i + 1];
    const read = readMoof(buffer, moof);
    const start = read.start + offset * timescale;
    fragments.push({
      bytes: writeFragment(start, read, buffer.subarray(mdat.start, mdat.end)),
      start,
      sync: read.sync,
    });
  }
  for (const [i, fragment] of fragments.entries()) {
    fragment.duration = (fragments[i + 1]?.start ?? (offset + seconds) * timescale) - fragment.start;
  }
  const codec = init.indexOf('avcC', 0, 'latin1');
  const hex = [...init.subarray(codec + 5, codec + 8)].map((b) =>
    b.toString(16).padStart(2, '0').toUpperCase(),
  );
  return { init, codec: `avc1.${hex.join('')}`, fragments };
}

/** What ffmpeg wrote into a moof: { start, sync, samples: [{ duration, size }] }. */
function readMoof(buffer, moof) {
  const traf = inside(buffer, moof, 'traf');
  const tfdt = inside(buffer, traf, 'tfdt');
  const start = Number(buffer.readBigUInt64BE(tfdt.start + 12));
  const tfhd = inside(buffer, traf, 'tfhd');
  const defaults = {
    duration: buffer.readUInt32BE(tfhd.start + 16),
    size: buffer.readUInt32BE(tfhd.start + 20),
  };
  const trun = inside(buffer, traf, 'trun');
  const flags = buffer.readUInt32BE(trun.start + 8) & 0xffffff;
  let at = trun.start + 20;
  let sync = flags & 4 ? (buffer.readUInt32BE(at) & 0x10000) === 0 : false;
  if (flags & 4) at += 4;
  const samples = [];
  for (let i = 0; i < buffer.readUInt32BE(trun.start + 12); i++) {
    const next = (flag, otherwise) => {
      if (!(flags & flag)) return otherwise;
      at += 4;
      return buffer.readUInt32BE(at - 4);
    };
    samples.push({ duration: next(0x100, defaults.duration), size: next(0x200, defaults.size) });
    const sampleFlags = next(0x400);
    if (i === 0 && sampleFlags !== undefined) sync = (sampleFlags & 0x10000) === 0;
    next(0x800);
  }
  return { start, sync, samples };
}

/** A fragment as the gateway writes them: a duration and a size for every sample. */
function writeFragment(start, { sync, samples }, mdat) {
  const box = (type, ...parts) => {
    const body = Buffer.concat(parts);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  };
  const words = (...numbers) => {
    const out = Buffer.alloc(numbers.length * 4);
    for (const [i, n] of numbers.entries()) out.writeUInt32BE(n, i * 4);
    return out;
  };
  const moof = (dataOffset) =>
    box(
      'moof',
      box('mfhd', words(0, 1)),
      box(
        'traf',
        box('tfhd', words(0x020002, 1, 1)),
        box('tfdt', words(1 << 24, 0, start)),
        box(
          'trun',
          words(0x000305, samples.length, dataOffset, sync ? 0x02000000 : 0x01010000),
          ...samples.map(({ duration, size }) => words(duration, size)),
        ),
      ),
    );
  return Buffer.concat([moof(moof(0).length + 8), mdat]);
}

/** The whole recording: { files: Map name → Buffer, index } with times in milliseconds, and its fragments. */
export function makeRecording() {
  const folder = mkdtempSync(join(tmpdir(), 'vitrine-mock-'));
  try {
    const parts = [
      encode(folder, { name: 'a', size: '1280x720', rate: 10, seconds: 48, still: [9, 21], offset: 0 }),
      encode(folder, { name: 'b', size: '1024x768', rate: 10, seconds: 30, still: [40, 50], offset: 48 }),
    ];
    const files = new Map();
    const inits = [];
    const segments = [];
    for (const [p, part] of parts.entries()) {
      const init = `init-${String(p).padStart(6, '0')}.mp4`;
      files.set(init, part.init);
      const [width, height] = p === 0 ? [1280, 720] : [1024, 768];
      inits.push({ name: init, codec: part.codec, width, height });
      let open = null;
      const close = () => {
        if (!open) return;
        const name = `seg-${String(segments.length).padStart(6, '0')}.m4s`;
        const bytes = Buffer.concat(open.map((f) => f.bytes));
        files.set(name, bytes);
        const first = open[0];
        const last = open.at(-1);
        segments.push({
          name,
          init,
          start_ms: Math.round(first.start / 90),
          duration_ms: Math.round((last.start + last.duration - first.start) / 90),
          sync: first.sync,
          bytes: bytes.length,
        });
        open = null;
      };
      for (const fragment of part.fragments) {
        if (open && (fragment.sync || fragment.start - open[0].start >= 4 * timescale)) close();
        open = open ? [...open, fragment] : [fragment];
      }
      close();
    }
    return { files, inits, segments };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
