import type { Size } from '../protocol';
import type { FromWorker, ToWorker } from './worker';

/**
 * Frames without a timestamp after which a browser counts as one that knows none. One alone says nothing: Chromium shows a
 * black frame of its own when a connection's track ends.
 */
const unknownFrames = 3;

/** Whether this browser can put tiles over video in step with its frames. */
export function canShowPatches(): boolean {
  return (
    typeof Worker === 'function' &&
    typeof HTMLCanvasElement.prototype.transferControlToOffscreen === 'function' &&
    'requestVideoFrameCallback' in HTMLVideoElement.prototype
  );
}

/**
 * The patch lane on the page: a canvas over the video, a worker that draws on it, and the video's frames, which tell the
 * worker what lies beneath. Made once for a stage, whatever connections come and go.
 */
export class PatchLane {
  /** Lies over the video; the caller places it. */
  readonly canvas = document.createElement('canvas');
  /** The picture's size in remote pixels; null before the first message. */
  size: Size | null = null;
  private readonly worker: Worker;
  private frame: number | null = null;
  /** Frames in a row of which the browser did not know the timestamp. */
  private unknown = 0;
  private readonly listeners = new AbortController();

  /** resized is called when size is another; failed once, when this browser turns out not to do: the lane is then of no use. */
  constructor(
    private readonly video: HTMLVideoElement,
    resized: () => void,
    private readonly failed: () => void,
  ) {
    this.canvas.style.cssText = 'position:absolute;left:0;top:0;max-width:none;pointer-events:none';
    this.worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      this.size = { width: data.width, height: data.height };
      resized();
    };
    this.worker.onerror = () => this.fail();
    const canvas = this.canvas.transferControlToOffscreen();
    this.post({ t: 'canvas', canvas }, [canvas]);
    document.addEventListener('visibilitychange', () => this.post({ t: 'hidden', hidden: document.hidden }), {
      signal: this.listeners.signal,
    });
    this.watch();
  }

  /** A new connection begins. */
  reset(): void {
    this.unknown = 0;
    this.post({ t: 'reset', hidden: document.hidden });
  }

  message(data: ArrayBuffer): void {
    this.post({ t: 'message', data }, [data]);
  }

  dispose(): void {
    this.listeners.abort();
    if (this.frame !== null) this.video.cancelVideoFrameCallback(this.frame);
    this.frame = null;
    this.worker.onmessage = this.worker.onerror = null;
    this.worker.terminate();
    this.canvas.remove();
  }

  private watch(): void {
    this.frame = this.video.requestVideoFrameCallback((_now, { rtpTimestamp }) => {
      if (rtpTimestamp !== undefined) {
        this.unknown = 0;
        this.post({ t: 'frame', rtp: rtpTimestamp });
      } else if (++this.unknown >= unknownFrames) {
        this.fail();
        return;
      }
      this.watch();
    });
  }

  private fail(): void {
    this.dispose();
    this.failed();
  }

  private post(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }
}
