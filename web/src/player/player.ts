import type { PlayerIndex } from '../api/client';
import { ProblemError, toProblem } from '../api/problem';
import { Store } from '../viewer/store';
import { MediaBuffer } from './buffer';
import { CorruptError, parseFragments, timescale, withLastDuration, type Fragment } from './fragments';
import { Loader, type FetchFile } from './loader';
import { idleJump, planSeek, segmentAt, syncAfter, syncBefore, type Plan, type Segment } from './timeline';

/** Something of the recording that cannot be shown. */
export interface PlayerProblem {
  segment: string;
  message: string;
}

export interface PlayerState {
  /** The first picture is there. */
  ready: boolean;
  /** People want it to play; at the edge of a running session it waits for more. */
  playing: boolean;
  /** Data is on its way. */
  waiting: boolean;
  ended: boolean;
  timeMs: number;
  durationMs: number;
  rate: number;
  skipIdle: boolean;
  live: boolean;
  /** Shows what is happening now, as nearly as a recording can. */
  atEdge: boolean;
  problem: PlayerProblem | null;
  /** Nothing can be played at all. */
  failure: unknown;
}

export const rates = [0.5, 1, 1.5, 2, 4, 8, 16] as const;

const tickMs = 100;
/** Played out this much ahead at least, in seconds at normal speed; faster playing needs more. */
const aheadSeconds = 30;
/** Segments ahead at least: each may hold a single picture. */
const aheadSegments = 4;
/** Kept behind the playing time, in seconds. */
const behindSeconds = 90;
/** Segments fetched ahead of the one that is appended: on the way of a seek each would else wait for the one before. */
const prefetch = 8;
/** The growing last picture's duration while it grows, in ticks: 8 hours. */
const growing = 8 * 3600 * timescale;
/** A segment's first picture lies this near its place in the index, in ticks. */
const startTolerance = timescale / 20;
/** How far behind the newest picture following a running session is, and still counts as following. */
const liveDelayMs = 3000;
const edgeMs = 7000;
/** How long a seek has the browser to itself, in milliseconds. */
const seekHead = 1500;
const retryMs = [500, 1500, 4000];

/** What of the recording is in the browser's buffer: segments `first` up to before `next`, without a gap. */
interface Run {
  first: number;
  next: number;
  /** Bytes already appended of segment `next`, which was still growing. */
  partial: number;
  init: string;
}

/** Plays a recording in a video element, segment by segment. Owns the element's source; ended by dispose. */
export class Player {
  readonly store = new Store<PlayerState>({
    ready: false,
    playing: false,
    waiting: true,
    ended: false,
    timeMs: 0,
    durationMs: 0,
    rate: 1,
    skipIdle: true,
    live: false,
    atEdge: false,
    problem: null,
    failure: null,
  });
  private index: PlayerIndex | null = null;
  private buffer: MediaBuffer | null = null;
  private run: Run | null = null;
  /** The time people asked for, until the picture there is on its way; milliseconds. */
  private target: number | null = null;
  private readonly bad = new Set<string>();
  /** Decode times of the pictures of segments that were read, in ticks. */
  private readonly times = new Map<string, number[]>();
  private readonly loader: Loader;
  private readonly abort = new AbortController();
  private readonly ticker: ReturnType<typeof setInterval>;
  private pumping = false;
  /** Several segments may be appended at once; not any more after that failed, so that the broken one is named. */
  private together = true;
  /** When the browser was last told to seek. */
  private sought = -Infinity;

  constructor(
    private readonly video: HTMLVideoElement,
    fetchFile: FetchFile,
    private readonly onUnauthorized: () => void,
  ) {
    const { signal } = this.abort;
    this.loader = new Loader(fetchFile, signal);
    this.ticker = setInterval(() => this.tick(), tickMs);
    video.addEventListener('error', () => void this.onMediaError(), { signal });
    video.addEventListener('ended', () => this.tick(), { signal });
    video.addEventListener('seeked', () => this.wake(), { signal });
    video.addEventListener('loadeddata', () => this.store.set({ ready: true }), { signal });
  }

  dispose(): void {
    this.abort.abort();
    clearInterval(this.ticker);
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    this.buffer?.close();
    this.buffer = null;
  }

  /** Takes the index, again and again while the session runs. */
  setIndex(index: PlayerIndex): void {
    const first = this.index === null;
    this.index = index;
    this.store.set({ durationMs: index.duration_ms, live: index.live });
    if (first) this.target ??= index.segments[0]?.start_ms ?? 0;
    this.wake();
    this.tick();
  }

  play(): void {
    if (this.store.get().ended) this.seek(0);
    this.store.set({ playing: true, ended: false });
    this.applyPlaying();
  }

  pause(): void {
    this.store.set({ playing: false });
    this.applyPlaying();
  }

  toggle(): void {
    if (this.store.get().playing) this.pause();
    else this.play();
  }

  setRate(rate: number): void {
    this.store.set({ rate });
    this.applyRate();
    this.wake();
  }

  setSkipIdle(skipIdle: boolean): void {
    this.store.set({ skipIdle });
  }

  seek(ms: number): void {
    const { index } = this;
    if (!index) {
      this.target = ms;
      return;
    }
    const plan = planSeek(index.segments, Math.min(Math.max(0, ms), index.duration_ms), this.bad);
    if (!plan) return;
    this.target = plan.ms;
    this.store.set({ timeMs: plan.ms, ended: false });
    this.wake();
  }

  /** Shows what happens now. */
  goLive(): void {
    const { index } = this;
    if (!index) return;
    this.setRate(1);
    this.seek(index.duration_ms - liveDelayMs);
    this.play();
  }

  /** Shows the next picture, or the one before. */
  async step(direction: 1 | -1): Promise<void> {
    const { index } = this;
    if (!index) return;
    this.pause();
    const now = (this.now() / 1000) * timescale;
    let at = segmentAt(index.segments, this.now());
    for (; at >= 0 && at < index.segments.length; at += direction) {
      const times = await this.timesOf(index.segments[at]);
      const found =
        direction > 0
          ? times.find((t) => t > now + timescale / 500)
          : times.findLast((t) => t < now - timescale / 100);
      if (found !== undefined) {
        // A little inside the picture, so that rounding does not fall back into the one before.
        this.seek((found / timescale) * 1000 + 2);
        return;
      }
    }
  }

  dismissProblem(): void {
    this.store.set({ problem: null });
  }

  private now(): number {
    return this.target ?? this.video.currentTime * 1000;
  }

  private applyPlaying(): void {
    const { playing } = this.store.get();
    if (playing && !this.mustWait()) {
      // Refused only when something else interrupts it, which then decides.
      if (this.video.paused) this.video.play().catch(() => undefined);
    } else if (!this.video.paused) {
      this.video.pause();
    }
  }

  private applyRate(): void {
    const { rate } = this.store.get();
    this.video.defaultPlaybackRate = rate;
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }

  /** Nothing is recorded yet beyond the time that is shown. */
  private mustWait(): boolean {
    const { index } = this;
    if (!index) return true;
    const left = index.duration_ms - this.now();
    return left <= (this.video.paused && index.live ? 1000 : 40);
  }

  private tick(): void {
    const { index } = this;
    if (!index) return;
    const ms = Math.min(this.now(), index.duration_ms);
    const state = this.store.get();
    const over = !index.live && state.playing && this.target === null && index.duration_ms - ms <= 40;
    this.store.set({
      timeMs: ms,
      waiting: this.target !== null || (this.video.readyState < 3 && !over && state.failure === null),
      atEdge: index.live && index.duration_ms - ms < edgeMs,
      ...(over ? { playing: false, ended: true } : {}),
    });
    if (state.playing && this.target === null) {
      const blocked = this.blockedAt(index);
      if (blocked !== null && ms >= blocked - 60) this.seek(blocked + 1);
      else if (state.skipIdle) {
        const jump = idleJump(index, ms);
        if (jump !== null) this.seek(jump);
      }
      // Nobody can see faster than it happens.
      if (index.live && state.rate > 1 && index.duration_ms - ms < 500) this.setRate(1);
    }
    this.applyPlaying();
    this.wake();
  }

  /** Where the buffered run meets a broken segment, in milliseconds. */
  private blockedAt(index: PlayerIndex): number | null {
    const segment = this.run ? index.segments[this.run.next] : undefined;
    return segment && this.bad.has(segment.name) && syncAfter(index.segments, this.run?.next ?? 0) >= 0
      ? segment.start_ms
      : null;
  }

  /** Sees to it that the buffer is filled. While it is being filled, every step looks at what is wanted now. */
  private wake(): void {
    if (this.pumping) return;
    this.pumping = true;
    void this.pump().finally(() => (this.pumping = false));
  }

  private async pump(): Promise<void> {
    try {
      while (!this.abort.signal.aborted && (await this.fill()));
    } catch (error) {
      if (!this.abort.signal.aborted) this.store.set({ failure: error, waiting: false });
    }
  }

  /** Does one step towards a full buffer; false when there is nothing to do for now. */
  private async fill(): Promise<boolean> {
    const { index, video } = this;
    if (!index || this.store.get().failure !== null) return false;
    const plan = planSeek(index.segments, this.now(), this.bad);
    const from = plan && index.segments[plan.from];
    if (!plan || !from) return false;
    const { buffer } = this;
    if (!buffer) {
      this.buffer = await this.openBuffer(from);
      return true;
    }
    if (!this.run || !this.leadsTo(this.run, plan, from, buffer)) {
      this.run = { first: plan.from, next: plan.from, partial: 0, init: '' };
      for (const on of index.segments.slice(plan.from, plan.at + 1))
        if (!on.open) this.loader.prefetch(on.name);
      await buffer.clear();
      return true;
    }
    const { run } = this;
    if (this.target !== null && (run.next > plan.at || (run.next === plan.at && run.partial > 0))) {
      video.currentTime = plan.ms / 1000;
      this.sought = performance.now();
      this.target = null;
      this.applyRate();
      this.applyPlaying();
    }

    // The decoder is on its way from the IDR picture to the one that is wanted: what comes after it can wait.
    if (video.seeking && run.next > plan.at + 1 && performance.now() - this.sought < seekHead) return false;

    const ahead = Math.max(aheadSeconds, aheadSeconds * 0.5 * this.store.get().rate) * 1000;
    const segment = index.segments[run.next];
    if (!segment) {
      if (!index.live) await buffer.end();
      return false;
    }
    if (this.bad.has(segment.name)) return false;
    const wanted = segment.start_ms <= plan.ms + ahead || run.next <= plan.at + aheadSegments;
    if (!wanted) {
      await this.evict(run, index.segments, plan.ms);
      return false;
    }
    if (segment.open && segment.bytes <= run.partial) return false;
    return this.append(run, this.way(run, plan, index), index);
  }

  /**
   * What is appended next: the segment that follows, or all that are on the way of a seek. Each append costs a turn of the browser's event
   * loop.
   */
  private way(run: Run, plan: Plan, index: PlayerIndex): Segment[] {
    const [segment, ...more] = index.segments.slice(run.next, Math.max(run.next, plan.at) + 1);
    if (!segment) return [];
    if (this.target === null || segment.open || !this.together) return [segment];
    const end = more.findIndex((s) => s.open === true || s.init !== segment.init || this.bad.has(s.name));
    return [segment, ...(end < 0 ? more : more.slice(0, end))];
  }

  private openBuffer(segment: Segment): Promise<MediaBuffer> {
    const init = this.index?.inits.find((i) => i.name === segment.init);
    if (!init) throw new Error(`the index has no ${segment.init}`);
    return MediaBuffer.open(this.video, init.codec);
  }

  /** Tells whether a run holds the way to a time, or will when it goes on. */
  private leadsTo(run: Run, plan: Plan, from: Segment, buffer: MediaBuffer): boolean {
    if (run.first > plan.from || plan.from > run.next) return false;
    // What was appended may have been thrown out by the browser.
    return (
      run.next <= plan.at || buffer.holds(from.start_ms / 1000, Math.min(plan.ms, this.endOf(run)) / 1000)
    );
  }

  private endOf(run: Run): number {
    const last = this.index?.segments[run.next - 1];
    // The last picture's end is rounded to milliseconds in the index.
    return last ? last.start_ms + last.duration_ms - 20 : 0;
  }

  /** Reads segments that follow each other and appends what of them is new; false when that must wait. */
  private async append(run: Run, segments: readonly Segment[], index: PlayerIndex): Promise<boolean> {
    const { buffer } = this;
    const [segment, ...more] = segments;
    if (!buffer || !segment) return false;
    let bytes: Uint8Array[];
    try {
      const init = run.init === segment.init ? null : this.appendInit(run, segment, index, buffer);
      const coming = segments.map((s) => this.fetch(s));
      const next = run.next + segments.length;
      for (const later of index.segments.slice(next, next + prefetch)) {
        if (!later.open) this.loader.prefetch(later.name);
      }
      [, ...bytes] = await Promise.all([init, ...coming]);
    } catch (error) {
      if (more.length > 0) return this.append(run, [segment], index);
      this.giveUp(segment, error);
      return true;
    }
    // A seek elsewhere while the bytes were on their way: they are kept, but not wanted here any more.
    if (this.run !== run) return true;
    try {
      return more.length > 0
        ? await this.appendAll(run, segments, bytes, buffer)
        : await this.appendBytes(run, segment, bytes[0] ?? new Uint8Array(), index.live, buffer);
    } catch (error) {
      const full = error instanceof DOMException && error.name === 'QuotaExceededError';
      if (full) {
        const freed = await this.evict(run, index.segments, this.now(), 10);
        if (freed || more.length === 0) return freed;
      }
      if (more.length > 0) {
        this.together = false;
        if (!full && !(error instanceof CorruptError)) await this.reopen();
        return true;
      }
      this.giveUp(segment, error);
      if (!(error instanceof CorruptError)) await this.reopen();
    }
    return true;
  }

  private async appendInit(
    run: Run,
    segment: Segment,
    index: PlayerIndex,
    buffer: MediaBuffer,
  ): Promise<void> {
    const init = index.inits.find((i) => i.name === segment.init);
    if (!init) throw new CorruptError(`the index has no ${segment.init}`);
    await buffer.appendInit(await this.retried(() => this.loader.load(init.name)), init.codec);
    run.init = segment.init;
  }

  private async appendBytes(
    run: Run,
    segment: Segment,
    bytes: Uint8Array,
    live: boolean,
    buffer: MediaBuffer,
  ): Promise<boolean> {
    const fragments = this.read(segment, bytes);
    const fresh = fragments.filter((f) => f.offset >= run.partial);
    const last = fresh.at(-1);
    if (last) {
      // In one piece, or in two when the last picture still grows: each append costs a turn of the browser's event loop,
      // and there are dozens of fragments on the way from an IDR picture to the one that is wanted.
      const grows = segment.open === true && live;
      const end = last.offset + last.length;
      const whole = grows ? last.offset : end;
      if (whole > run.partial) await buffer.append(bytes.subarray(run.partial, whole));
      if (grows) await buffer.append(withLastDuration(bytes, last, growing));
      run.partial = end;
    }
    if (segment.open) return fresh.length > 0;
    run.next++;
    run.partial = 0;
    return true;
  }

  /** Appends whole segments in one piece. */
  private async appendAll(
    run: Run,
    segments: readonly Segment[],
    bytes: readonly Uint8Array[],
    buffer: MediaBuffer,
  ): Promise<boolean> {
    const parts = segments.map((segment, i) => {
      const data = bytes[i] ?? new Uint8Array();
      this.read(segment, data);
      return i === 0 ? data.subarray(run.partial) : data;
    });
    const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    await buffer.append(whole);
    run.next += segments.length;
    run.partial = 0;
    return true;
  }

  /** Takes a segment apart and notes when its pictures are; throws CorruptError. */
  private read(segment: Segment, bytes: Uint8Array): Fragment[] {
    const { fragments, rest } = parseFragments(bytes);
    this.check(segment, fragments, rest);
    this.times.set(
      segment.name,
      fragments.flatMap((f) => f.times),
    );
    return fragments;
  }

  /** Compares a segment's structure with the index; throws CorruptError. */
  private check(segment: Segment, fragments: Fragment[], rest: number): void {
    const first = fragments[0]?.times[0];
    if (first === undefined) {
      if (segment.open) return;
      throw new CorruptError('it holds no picture');
    }
    if (rest > 0 && !segment.open) throw new CorruptError(`its last ${rest} bytes are cut short`);
    const expected = (segment.start_ms / 1000) * timescale;
    if (Math.abs(first - expected) > startTolerance) {
      throw new CorruptError(
        `it starts at ${(first / timescale).toFixed(3)} s, not at ${segment.start_ms / 1000} s`,
      );
    }
  }

  private fetch(segment: Segment): Promise<Uint8Array> {
    return this.retried(() =>
      segment.open ? this.loader.loadOpen(segment.name) : this.loader.load(segment.name),
    );
  }

  /** Tries again what a broken connection or a busy gateway refused. */
  private async retried<T>(attempt: () => Promise<T>): Promise<T> {
    for (const wait of retryMs) {
      try {
        return await attempt();
      } catch (error) {
        if (error instanceof ProblemError && error.status < 500) throw error;
        this.abort.signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return attempt();
  }

  /** Marks a segment as one that cannot be shown, and says so. */
  private giveUp(segment: Segment, error: unknown): void {
    if (this.abort.signal.aborted) return;
    if (error instanceof ProblemError && error.status === 401) {
      this.onUnauthorized();
      return;
    }
    this.bad.add(segment.name);
    const said =
      error instanceof CorruptError ? error.message : (toProblem(error).detail ?? toProblem(error).title);
    const message = said.replace(/\.$/, '');
    const { index } = this;
    const onward =
      index && syncAfter(index.segments, index.segments.indexOf(segment), (s) => !this.bad.has(s.name)) >= 0;
    this.store.set({
      problem: {
        segment: segment.name,
        message: `${message}. ${onward ? 'Playing goes on at the next whole picture.' : 'Nothing after it can be shown.'}`,
      },
    });
    if (this.target !== null) this.seek(this.target);
  }

  /** Frees what was played long ago, up to a place from which decoding can start. */
  private async evict(
    run: Run,
    segments: readonly Segment[],
    ms: number,
    keep = behindSeconds,
  ): Promise<boolean> {
    const from = syncBefore(segments, segmentAt(segments, ms - keep * 1000));
    const sync = segments[from];
    const first = segments[run.first];
    if (!sync || !first || from <= run.first || !this.buffer) return false;
    if (keep === behindSeconds && sync.start_ms - first.start_ms < 20_000) return false;
    run.first = from;
    await this.buffer.remove(0, sync.start_ms / 1000 - 0.001);
    return true;
  }

  /** The decoder met something it cannot decode. */
  private async onMediaError(): Promise<void> {
    const { index } = this;
    if (!index || this.video.error?.code !== MediaError.MEDIA_ERR_DECODE) return;
    const ms = this.now();
    // The decoder works a little ahead of what is shown.
    const segment = index.segments[segmentAt(index.segments, ms + 200)];
    if (segment) this.giveUp(segment, new CorruptError('the browser cannot decode it'));
    await this.reopen();
    this.seek(ms);
  }

  /** Starts over with a new media source: the old one is of no use after an error. */
  private async reopen(): Promise<void> {
    this.target ??= this.now();
    this.buffer?.close();
    this.buffer = null;
    this.run = null;
    await Promise.resolve();
    this.wake();
  }

  private async timesOf(segment: Segment | undefined): Promise<number[]> {
    if (!segment) return [];
    const known = this.times.get(segment.name);
    if (known) return known;
    try {
      const { fragments } = parseFragments(await this.fetch(segment));
      const times = fragments.flatMap((f) => f.times);
      if (!segment.open) this.times.set(segment.name, times);
      return times;
    } catch {
      return [];
    }
  }
}
