/** Closed segments kept in memory, in bytes: they never change, and seeking back wants them again. */
const cacheBytes = 64 << 20;

/** Fetches one file of a recording; throws for anything but its bytes. */
export type FetchFile = (name: string, signal: AbortSignal) => Promise<Uint8Array>;

/** Fetches files, each once at a time, and keeps those that never change, least recently used last. */
export class Loader {
  private readonly cache = new Map<string, Uint8Array>();
  private readonly pending = new Map<string, Promise<Uint8Array>>();
  private used = 0;

  constructor(
    private readonly fetchFile: FetchFile,
    private readonly signal: AbortSignal,
  ) {}

  /** A file that never changes. */
  load(name: string): Promise<Uint8Array> {
    const kept = this.cache.get(name);
    if (kept) {
      this.cache.delete(name);
      this.cache.set(name, kept);
      return Promise.resolve(kept);
    }
    const running = this.pending.get(name);
    if (running) return running;
    const promise = this.fetchFile(name, this.signal)
      .then((bytes) => {
        this.keep(name, bytes);
        return bytes;
      })
      .finally(() => this.pending.delete(name));
    this.pending.set(name, promise);
    return promise;
  }

  /** A file that still grows, as it is now. */
  loadOpen(name: string): Promise<Uint8Array> {
    return this.fetchFile(name, this.signal);
  }

  /** Begins to load; a failure shows when the file is asked for in earnest. */
  prefetch(name: string): void {
    this.load(name).catch(() => undefined);
  }

  private keep(name: string, bytes: Uint8Array): void {
    this.cache.set(name, bytes);
    this.used += bytes.length;
    for (const [oldest, old] of this.cache) {
      if (this.used <= cacheBytes || oldest === name) break;
      this.cache.delete(oldest);
      this.used -= old.length;
    }
  }
}
