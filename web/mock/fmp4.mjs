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
    const bytes = Buffer.from(buffer.subarray(moof.start, mdat.end));
    const root = { start: 0, end: moof.end - moof.start };
    const traf = inside(bytes, root, 'traf');
    const tfdt = inside(bytes, traf, 'tfdt');
    const wide = bytes[tfdt.start + 8] === 1;
    const own = wide ? Number(bytes.readBigUInt64BE(tfdt.start + 12)) : bytes.readUInt32BE(tfdt.start + 12);
    const start = own + offset * timescale;
    if (wide) bytes.writeBigUInt64BE(BigInt(start), tfdt.start + 12);
    else bytes.writeUInt32BE(start, tfdt.start + 12);
    fragments.push({ bytes, start, sync: isSync(bytes, traf) });
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

/** Tells whether a fragment's first sample is a key frame, by the sample flags of trun or tfhd. */
function isSync(bytes, traf) {
  const trun = inside(bytes, traf, 'trun');
  const flags = bytes.readUInt32BE(trun.start + 8) & 0xffffff;
  let at = trun.start + 16 + (flags & 1 ? 4 : 0);
  if (flags & 4) return (bytes.readUInt32BE(at) & 0x10000) === 0;
  if (flags & 0x400) {
    at += (flags & 0x100 ? 4 : 0) + (flags & 0x200 ? 4 : 0);
    return (bytes.readUInt32BE(at) & 0x10000) === 0;
  }
  const tfhd = inside(bytes, traf, 'tfhd');
  const has = bytes.readUInt32BE(tfhd.start + 8) & 0xffffff;
  if (!(has & 0x20)) return false;
  let skip = tfhd.start + 16;
  for (const [bit, size] of [
    [1, 8],
    [2, 4],
    [8, 4],
    [0x10, 4],
  ]) {
    if (has & bit) skip += size;
  }
  return (bytes.readUInt32BE(skip) & 0x10000) === 0;
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
      const init = `init-${String(p).padStart(3, '0')}.mp4`;
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
