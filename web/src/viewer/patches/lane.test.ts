import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PatchLane } from './lane';

const posted: unknown[] = [];

class FakeWorker {
  onmessage = null;
  onerror = null;
  terminate = vi.fn();
  postMessage(message: unknown): void {
    posted.push(message);
  }
}

/** A video that shows the frames it is told to. */
class FakeVideo {
  private callback: VideoFrameRequestCallback | null = null;
  requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
    this.callback = callback;
    return 1;
  }
  cancelVideoFrameCallback(): void {
    this.callback = null;
  }
  show(...timestamps: (number | undefined)[]): void {
    for (const rtpTimestamp of timestamps) {
      this.callback?.(0, { rtpTimestamp } as VideoFrameCallbackMetadata);
    }
  }
}

describe('PatchLane', () => {
  const failed = vi.fn();
  let video: FakeVideo;
  let lane: PatchLane;

  beforeEach(() => {
    posted.length = 0;
    failed.mockClear();
    vi.stubGlobal('Worker', FakeWorker);
    HTMLCanvasElement.prototype.transferControlToOffscreen = () => ({}) as OffscreenCanvas;
    video = new FakeVideo();
    lane = new PatchLane(video as unknown as HTMLVideoElement, () => undefined, failed);
    lane.reset();
  });

  afterEach(() => {
    lane.dispose();
    vi.unstubAllGlobals();
  });

  it('tells the worker of frames', () => {
    video.show(1, 2);
    expect(posted.slice(-2)).toEqual([
      { t: 'frame', rtp: 1 },
      { t: 'frame', rtp: 2 },
    ]);
  });

  it('gives up in a browser that knows no timestamps', () => {
    video.show(undefined, undefined);
    expect(failed).not.toHaveBeenCalled();
    video.show(undefined, undefined);
    expect(failed).toHaveBeenCalledOnce();
  });

  it('takes no offence at the black frame of a track that ended', () => {
    for (let connection = 0; connection < 5; connection++) {
      video.show(1, 2, undefined);
      lane.reset();
      video.show(undefined);
    }
    video.show(3);
    expect(failed).not.toHaveBeenCalled();
    expect(posted.at(-1)).toEqual({ t: 'frame', rtp: 3 });
  });
});
