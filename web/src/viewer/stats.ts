/** The figures of the toolbar. */
export interface Figures {
  /** Round trip of a ping through the data channel, or of the transport, in milliseconds. */
  latencyMs: number | null;
  /** Frames decoded in the last second. */
  fps: number;
  /** Video and patches received in the last second, bits a second. */
  bitrate: number;
}

interface Sample {
  at: number;
  frames: number;
  bytes: number;
}

/** While nothing is shown and every ping was answered, only each so many'th second has a ping: they are all that an idle session costs. */
const stillPings = 3;

/** Makes rates out of the counters of RTCPeerConnection.getStats. */
export class FigureMeter {
  private last: Sample | null = null;
  private ping: { id: number; at: number } | null = null;
  private pingMs: number | null = null;
  private nextPing = 1;
  /** Pings sent since the last answer. */
  unanswered = 0;

  private waited = 0;
  private moving = true;

  /** Whether it is time for a ping; asked each second. */
  pingDue(): boolean {
    return this.moving || this.unanswered > 0 || ++this.waited >= stillPings;
  }

  /** The id of a ping that is sent now. */
  pinged(now: number): number {
    const id = this.nextPing++;
    this.ping = { id, at: now };
    this.unanswered++;
    this.waited = 0;
    return id;
  }

  ponged(id: number, now: number): void {
    this.unanswered = 0;
    if (this.ping?.id === id) this.pingMs = now - this.ping.at;
  }

  /** Takes a report; the rates are those since the report before. */
  update(report: Iterable<Record<string, unknown>>): Figures {
    let inbound: Record<string, unknown> | undefined;
    let pair: Record<string, unknown> | undefined;
    let patches = 0;
    for (const stat of report) {
      if (stat.type === 'inbound-rtp' && stat.kind === 'video') inbound = stat;
      if (stat.type === 'data-channel' && stat.label === 'patches') patches = number(stat.bytesReceived);
      if (stat.type === 'candidate-pair' && stat.nominated === true && stat.state === 'succeeded')
        pair = stat;
    }
    const rtt = pair && number(pair.currentRoundTripTime) * 1000;
    const latencyMs = this.pingMs ?? rtt ?? null;
    if (!inbound) return { latencyMs, fps: 0, bitrate: 0 };
    const sample = {
      at: number(inbound.timestamp),
      frames: number(inbound.framesDecoded),
      bytes: number(inbound.bytesReceived) + patches,
    };
    const last = this.last;
    this.last = sample;
    const seconds = last ? (sample.at - last.at) / 1000 : 0;
    if (!last || seconds <= 0) return { latencyMs, fps: 0, bitrate: 0 };
    this.moving = sample.bytes !== last.bytes;
    return {
      latencyMs,
      fps: Math.max(0, sample.frames - last.frames) / seconds,
      bitrate: (Math.max(0, sample.bytes - last.bytes) * 8) / seconds,
    };
  }

  /** A new connection counts from zero. */
  reset(): void {
    this.last = null;
    this.ping = null;
    this.pingMs = null;
    this.unanswered = 0;
    this.moving = true;
  }
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
