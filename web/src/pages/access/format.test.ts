import { describe, expect, it } from 'vitest';
import type { AccessRequest } from '../../api/access';
import { fromLocalInput, localInput, requestWindow, shortened, windowText } from './format';

const at = (d: number, h: number, m = 0) => new Date(2026, 2, d, h, m).toISOString();

describe('windows', () => {
  const now = new Date(2026, 2, 3, 12);
  it('names days that are near', () => {
    expect(windowText({ from: at(3, 14, 5), until: at(3, 18) }, now)).toMatch(/^Today 0?\d+:05.*–/);
    expect(windowText({ from: at(4, 9), until: at(4, 10) }, now)).toMatch(/^Tomorrow/);
    expect(windowText({ from: at(3, 22), until: at(4, 2) }, now)).toMatch(/^Today .* – Tomorrow/);
    expect(windowText({ from: at(9, 9), until: at(9, 10) }, now)).not.toMatch(/day 0?9:00 – /);
  });

  it('knows a length from a window', () => {
    const window = { from: at(3, 12), until: at(3, 14) };
    const request = { floating: true, state: 'pending', window, wanted: window } as AccessRequest;
    expect(requestWindow(request)).toBe('2 h from the approval on');
    expect(requestWindow({ ...request, state: 'approved' })).not.toContain('approval');
    expect(shortened(request)).toBe(false);
    expect(shortened({ ...request, wanted: { from: at(3, 12), until: at(3, 15) } })).toBe(true);
  });

  it('reads back what it writes into inputs', () => {
    const moment = new Date(2026, 2, 29, 3, 7);
    expect(fromLocalInput(localInput(moment))).toEqual(moment);
    expect(fromLocalInput('')).toBeUndefined();
    expect(fromLocalInput('tomorrow')).toBeUndefined();
  });
});
