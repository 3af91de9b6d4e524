/** A SourceBuffer whose operations are promises, one after the other. */
export class MediaBuffer {
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly source: MediaSource,
    private readonly buffer: SourceBuffer,
    private readonly url: string,
    private codec: string,
  ) {}

  /** Attaches a new media source to a video element; whatever it played before is gone. */
  static async open(video: HTMLVideoElement, codec: string): Promise<MediaBuffer> {
    const mime = mimeOf(codec);
    if (!MediaSource.isTypeSupported(mime)) throw new Error(`this browser cannot play ${codec}`);
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    const opened = new Promise<void>((resolve) =>
      source.addEventListener('sourceopen', () => resolve(), { once: true }),
    );
    video.src = url;
    await opened;
    // The player knows the duration from the index; the browser shall never clamp a seek.
    source.duration = Infinity;
    return new MediaBuffer(source, source.addSourceBuffer(mime), url, codec);
  }

  /** Appends an initialisation segment, for another codec string where that changed. */
  appendInit(bytes: Uint8Array, codec: string): Promise<void> {
    return this.run(() => {
      if (codec !== this.codec) {
        this.buffer.changeType(mimeOf(codec));
        this.codec = codec;
      }
      this.buffer.appendBuffer(own(bytes));
    });
  }

  /** Appends media; rejects with QuotaExceededError when the browser keeps no more, CorruptMedia otherwise. */
  append(bytes: Uint8Array): Promise<void> {
    return this.run(() => this.buffer.appendBuffer(own(bytes)));
  }

  /** Removes what lies between two times in seconds. */
  remove(start: number, end: number): Promise<void> {
    if (end <= start) return Promise.resolve();
    return this.run(() => this.buffer.remove(start, end));
  }

  /** Empties the buffer and forgets a half parsed segment. */
  clear(): Promise<void> {
    return this.enqueue(() => {
      if (this.source.readyState === 'open') this.buffer.abort();
      return Promise.resolve();
    }).then(() => this.remove(0, Infinity));
  }

  /** Tells the browser that nothing follows. Appending opens the source again. */
  end(): Promise<void> {
    return this.enqueue(() => {
      if (this.source.readyState === 'open') this.source.endOfStream();
      return Promise.resolve();
    });
  }

  /** Tells whether the picture at a time, decoded from a start, is there; both in seconds. */
  holds(start: number, time: number): boolean {
    const { buffered } = this.buffer;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= start + 0.1 && buffered.end(i) >= time) return true;
    }
    return false;
  }

  close(): void {
    URL.revokeObjectURL(this.url);
  }

  private run(start: () => void): Promise<void> {
    return this.enqueue(
      () =>
        new Promise<void>((resolve, reject) => {
          const { buffer } = this;
          let failed = false;
          buffer.onerror = () => (failed = true);
          buffer.onupdateend = () => {
            buffer.onerror = buffer.onupdateend = null;
            if (failed) reject(new Error('the browser cannot read the media'));
            else resolve();
          };
          try {
            start();
          } catch (error) {
            buffer.onerror = buffer.onupdateend = null;
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        }),
    );
  }

  private enqueue(operation: () => Promise<void>): Promise<void> {
    const result = this.queue.then(operation);
    this.queue = result.catch(() => undefined);
    return result;
  }
}

function mimeOf(codec: string): string {
  return `video/mp4; codecs="${codec}"`;
}

/** The type appendBuffer wants: bytes over an ArrayBuffer, which all of ours are. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
