import { describe, expect, it } from 'vitest';
import { desktopSizeWish, layout, toRemote } from './geometry';

const hd = { width: 1920, height: 1080 };

describe('layout', () => {
  it('fits and centres, up and down', () => {
    expect(layout('fit', { width: 960, height: 700 }, hd, 1)).toEqual({
      left: 0,
      top: 80,
      width: 960,
      height: 540,
      scale: 0.5,
    });
    expect(layout('fit', { width: 2000, height: 960 }, { width: 640, height: 480 }, 2)).toMatchObject({
      left: 360,
      top: 0,
      scale: 2,
    });
  });

  it('shows one remote pixel as one of the screen at 1:1, whatever its density', () => {
    expect(layout('actual', { width: 800, height: 600 }, hd, 1)).toMatchObject({
      left: 0,
      top: 0,
      width: 1920,
    });
    expect(layout('actual', { width: 1200, height: 700 }, hd, 2)).toMatchObject({
      left: 120,
      top: 80,
      width: 960,
    });
  });

  it('begins on a whole pixel of the screen', () => {
    const { left } = layout('actual', { width: 1001, height: 800 }, { width: 640, height: 480 }, 1);
    expect(left).toBe(180);
  });

  it('shows a resized desktop at a whole zoom, and a target that did not follow as a whole', () => {
    expect(layout('resize', { width: 960, height: 540 }, { width: 960, height: 540 }, 2).scale).toBe(1);
    expect(layout('resize', { width: 960, height: 540 }, hd, 1).scale).toBe(0.5);
    expect(layout('resize', { width: 960, height: 540 }, { width: 640, height: 480 }, 1).scale).toBe(1);
  });
});

describe('desktopSizeWish', () => {
  const cases = [
    { name: 'plain screen', stage: { width: 1280, height: 757 }, dpr: 1, wish: { width: 1280, height: 756 } },
    {
      name: '1.25×: all pixels',
      stage: { width: 1000, height: 800 },
      dpr: 1.25,
      wish: { width: 1250, height: 1000 },
    },
    { name: '2×: doubled', stage: { width: 1280, height: 720 }, dpr: 2, wish: { width: 1280, height: 720 } },
    { name: 'tiny', stage: { width: 100, height: 50 }, dpr: 1, wish: { width: 320, height: 320 } },
    { name: 'huge', stage: { width: 20_000, height: 720 }, dpr: 1, wish: { width: 8192, height: 720 } },
  ];
  it.each(cases)('$name', ({ stage, dpr, wish }) => {
    expect(desktopSizeWish(stage, dpr)).toEqual(wish);
  });
});

describe('toRemote', () => {
  const picture = { left: 100, top: 50, width: 960, height: 540 };
  const cases = [
    { name: 'first pixel', at: { x: 100, y: 50 }, to: { x: 0, y: 0 } },
    { name: 'middle', at: { x: 580, y: 320 }, to: { x: 960, y: 540 } },
    { name: 'last pixel', at: { x: 1059.9, y: 589.9 }, to: { x: 1919, y: 1079 } },
    { name: 'dragged out to the upper left', at: { x: -5, y: -900 }, to: { x: 0, y: 0 } },
    { name: 'dragged out to the lower right', at: { x: 5000, y: 5000 }, to: { x: 1919, y: 1079 } },
  ];
  it.each(cases)('$name', ({ at, to }) => {
    expect(toRemote(at, picture, hd)).toEqual({ ...to, w: 1920, h: 1080 });
  });

  it('survives a picture that is not laid out yet', () => {
    expect(toRemote({ x: 5, y: 5 }, { left: 0, top: 0, width: 0, height: 0 }, hd)).toMatchObject({
      x: 0,
      y: 0,
    });
  });
});
