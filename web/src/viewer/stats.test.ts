import { expect, it } from 'vitest';
import { FigureMeter } from './stats';

const report = (timestamp: number, framesDecoded: number, bytesReceived: number, rtt?: number) => [
  { type: 'inbound-rtp', kind: 'video', timestamp, framesDecoded, bytesReceived },
  { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: rtt },
];

it('makes rates of counters', () => {
  const meter = new FigureMeter();
  expect(meter.update(report(1000, 10, 1000))).toEqual({ latencyMs: 0, fps: 0, bitrate: 0 });
  expect(meter.update(report(3000, 70, 26_000, 0.012))).toEqual({ latencyMs: 12, fps: 30, bitrate: 100_000 });
});

it('prefers the ping of the data channel, which takes the way of the input', () => {
  const meter = new FigureMeter();
  const id = meter.pinged(100);
  meter.ponged(id + 1, 101);
  expect(meter.update(report(1, 0, 0, 0.05)).latencyMs).toBe(50);
  meter.ponged(id, 107.5);
  expect(meter.update(report(2, 0, 0, 0.05)).latencyMs).toBe(7.5);
});

it('does not go negative when a new connection counts from zero', () => {
  const meter = new FigureMeter();
  meter.update(report(1000, 500, 50_000));
  expect(meter.update(report(2000, 5, 500))).toMatchObject({ fps: 0, bitrate: 0 });
  meter.reset();
  expect(meter.update([])).toEqual({ latencyMs: null, fps: 0, bitrate: 0 });
});

it('pings each second while something moves or an answer is due, and less often while all is still', () => {
  const meter = new FigureMeter();
  let pings = 0;
  const seconds = (n: number, bytes: (second: number) => number, answered = true) => {
    pings = 0;
    for (let second = 1; second <= n; second++) {
      if (meter.pingDue()) {
        pings++;
        const id = meter.pinged(0);
        if (answered) meter.ponged(id, 1);
      }
      meter.update(report((now += 1000), 0, bytes(second)));
    }
    return pings;
  };
  let now = 0;
  expect(seconds(6, (second) => second * 100)).toBe(6);
  meter.update(report((now += 1000), 0, 600));
  expect(seconds(9, () => 600)).toBe(3);
  expect(seconds(6, () => 600, false)).toBe(4);
});
