import { describe, expect, it } from 'vitest';
import { cursorCss, planCursor } from './cursor';
import type { CursorMessage } from './protocol';

const shape = (w: number, h: number, hx: number, hy: number): CursorMessage => ({
  t: 'cursor',
  hidden: false,
  w,
  h,
  hx,
  hy,
  png: 'AAAA',
});

describe('planCursor', () => {
  it('keeps a shape at 1:1', () => {
    expect(planCursor(shape(24, 24, 3, 4), 1, 1)).toEqual({
      scale: 1,
      width: 24,
      height: 24,
      hx: 3,
      hy: 4,
      drawn: false,
    });
  });

  it('scales the shape and its hotspot together', () => {
    expect(planCursor(shape(32, 32, 31, 16), 0.75, 1)).toMatchObject({
      width: 24,
      height: 24,
      hx: 23,
      hy: 12,
    });
  });

  it('draws for the density of the screen and points in CSS pixels', () => {
    expect(planCursor(shape(24, 24, 12, 12), 1, 2)).toMatchObject({ width: 48, height: 48, hx: 12, hy: 12 });
    expect(planCursor(shape(24, 24, 12, 12), 0.5, 2)).toMatchObject({ scale: 0.6 });
  });

  it('draws itself what CSS would ignore', () => {
    expect(planCursor(shape(129, 20, 0, 0), 1, 1).drawn).toBe(true);
    expect(planCursor(shape(128, 128, 0, 0), 1, 2).drawn).toBe(false);
    expect(planCursor(shape(100, 100, 0, 0), 2, 1).drawn).toBe(true);
  });

  it('keeps the hotspot inside the shape', () => {
    const plan = planCursor(shape(1, 1, 0, 0), 0.6, 1);
    expect(plan).toMatchObject({ width: 1, height: 1, hx: 0, hy: 0 });
  });
});

it('cursorCss names density, hotspot and a fallback', () => {
  const plan = planCursor(shape(24, 24, 3, 4), 1, 2);
  expect(cursorCss('data:image/png;base64,AA', plan, 2)).toBe(
    'image-set(url("data:image/png;base64,AA") 2x) 3 4, default',
  );
});
