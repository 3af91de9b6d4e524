import { describe, expect, it } from 'vitest';
import { bitrate, bytes, clock, clockTenths, count, duration, when } from './format';

describe('format', () => {
  it.each([
    [0, '0:00'],
    [-5, '0:00'],
    [61_999, '1:01'],
    [3_723_000, '1:02:03'],
  ])('clock %i', (ms, text) => expect(clock(ms)).toBe(text));

  it.each([
    [400, '0 s'],
    [59_000, '59 s'],
    [78_000, '1 min 18 s'],
    [60_000, '1 min'],
    [2_820_000, '47 min'],
    [7_680_000, '2 h 8 min'],
    [7_200_000, '2 h'],
  ])('duration %i', (ms, text) => expect(duration(ms)).toBe(text));

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [999.6, '1.00 KB'],
    [1_412_000, '1.41 MB'],
    [18_412_000, '18.4 MB'],
    [118_400_120, '118 MB'],
    [9.99e18, '9990000 TB'],
  ])('bytes %d', (n, text) => expect(bytes(n)).toBe(text));

  it('the rest', () => {
    expect(clockTenths(1990)).toBe('0:01.9');
    expect(bitrate(812_000)).toBe('812 kbit/s');
    expect(bitrate(2_340_000)).toBe('2.3 Mbit/s');
    expect(count(1, 'file')).toBe('1 file');
    expect(count(0, 'viewer')).toBe('0 viewers');
  });

  it('names the day as long as it is near', () => {
    const now = new Date(2026, 2, 3, 12);
    expect(when(new Date(2026, 2, 3, 1).toISOString(), now)).toMatch(/^Today/);
    expect(when(new Date(2026, 2, 2, 23).toISOString(), now)).toMatch(/^Yesterday/);
    expect(when(new Date(2026, 2, 1, 23).toISOString(), now)).not.toMatch(/day/);
  });
});
