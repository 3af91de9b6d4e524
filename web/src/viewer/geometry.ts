import type { RemotePoint, Size } from './protocol';

/** How the desktop is laid into the window. */
export type DisplayMode = 'fit' | 'actual' | 'resize';

/** The picture's box in CSS pixels, relative to the stage, and CSS pixels per remote pixel. */
export interface Layout {
  left: number;
  top: number;
  width: number;
  height: number;
  scale: number;
}

/** The gateway's bounds for a wished desktop size (openapi.yaml, CreateSession). */
const minWish = 320;
const maxWish = 8192;

/**
 * CSS pixels per remote pixel at 1:1: a remote pixel is a pixel of the screen.
 */
export function actualScale(dpr: number): number {
  return 1 / dpr;
}

/**
 * CSS pixels per remote pixel at which a resized desktop is shown: the whole number of screen pixels that
 * keeps text near its usual size. On a 2× screen one remote pixel covers 2×2 sharp ones; on 1.25× it is 1:1.
 */
export function resizedScale(dpr: number): number {
  return Math.max(1, Math.floor(dpr)) / dpr;
}

/** The desktop size that fills a stage. */
export function desktopSizeWish(stage: Size, dpr: number): Size {
  const scale = resizedScale(dpr);
  const side = (css: number) => Math.min(maxWish, Math.max(minWish, Math.floor(css / scale) & ~1));
  return { width: side(stage.width), height: side(stage.height) };
}

/** Lays a desktop into a stage: centred where it is smaller, from the corner where it must be scrolled. */
export function layout(mode: DisplayMode, stage: Size, desktop: Size, dpr: number): Layout {
  const scale = scaleFor(mode, stage, desktop, dpr);
  const width = desktop.width * scale;
  const height = desktop.height * scale;
  // Whole screen pixels, so that 1:1 is not blurred by half a pixel.
  const centre = (room: number, used: number) => Math.max(0, Math.floor(((room - used) / 2) * dpr) / dpr);
  return { left: centre(stage.width, width), top: centre(stage.height, height), width, height, scale };
}

function scaleFor(mode: DisplayMode, stage: Size, desktop: Size, dpr: number): number {
  const fit = Math.min(stage.width / desktop.width, stage.height / desktop.height);
  switch (mode) {
    case 'actual':
      return actualScale(dpr);
    case 'resize': {
      // The target may not take the wish: show what it has, whole, no larger than a resized one would be.
      const wished = resizedScale(dpr);
      return Math.min(wished, fit * 1.0001 >= wished ? wished : fit);
    }
    case 'fit':
      return fit;
  }
}

/** A place in the window as a pixel of the desktop, clamped into the picture. */
export function toRemote(
  client: { x: number; y: number },
  picture: { left: number; top: number; width: number; height: number },
  desktop: Size,
): RemotePoint {
  const axis = (at: number, start: number, length: number, pixels: number) =>
    length > 0 ? Math.min(pixels - 1, Math.max(0, Math.floor(((at - start) / length) * pixels))) : 0;
  return {
    x: axis(client.x, picture.left, picture.width, desktop.width),
    y: axis(client.y, picture.top, picture.height, desktop.height),
    w: desktop.width,
    h: desktop.height,
  };
}
