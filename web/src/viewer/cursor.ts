import type { CursorMessage } from './protocol';

/** Browsers ignore CSS cursors that are larger, in CSS pixels. */
export const maxCssCursor = 128;

/** Below this scale a pointer would be too small to see. */
const minScale = 0.6;

export interface CursorPlan {
  /** CSS pixels per pixel of the shape. */
  scale: number;
  /** The bitmap's size in pixels of the screen. */
  width: number;
  height: number;
  /** The hotspot in CSS pixels. */
  hx: number;
  hy: number;
  /** Too large for CSS: drawn as a picture that follows the pointer. */
  drawn: boolean;
}

/** How a shape is shown where one remote pixel is `scale` CSS pixels. */
export function planCursor(m: CursorMessage, scale: number, dpr: number): CursorPlan {
  const shown = Math.max(minScale, scale);
  const width = Math.max(1, Math.round(m.w * shown * dpr));
  const height = Math.max(1, Math.round(m.h * shown * dpr));
  return {
    scale: shown,
    width,
    height,
    hx: Math.min(Math.floor(m.hx * shown), Math.ceil(m.w * shown) - 1),
    hy: Math.min(Math.floor(m.hy * shown), Math.ceil(m.h * shown) - 1),
    drawn: width / dpr > maxCssCursor || height / dpr > maxCssCursor,
  };
}

/** The CSS of a cursor whose bitmap is a PNG for a screen of the given density. */
export function cursorCss(png: string, plan: CursorPlan, dpr: number): string {
  return `image-set(url("${png}") ${dpr}x) ${plan.hx} ${plan.hy}, default`;
}

/**
 * Shows the remote pointer's shape as the browser's own, so that it moves without delay. Owns an <img> for
 * shapes that are too large for CSS.
 */
export class CursorView {
  private message: CursorMessage | null = null;
  private scale = 1;
  private image: HTMLImageElement | null = null;
  private generation = 0;
  private hot = { x: 0, y: 0 };

  constructor(private readonly surface: HTMLElement) {}

  show(message: CursorMessage): void {
    this.message = message;
    void this.render();
  }

  /** Tells how large one remote pixel is now, in CSS pixels. */
  setScale(scale: number): void {
    if (scale === this.scale) return;
    this.scale = scale;
    void this.render();
  }

  /** Moves a drawn pointer; x and y are relative to the surface. */
  moveTo(x: number, y: number): void {
    if (this.image) this.image.style.transform = `translate(${x - this.hot.x}px, ${y - this.hot.y}px)`;
  }

  dispose(): void {
    this.generation++;
    this.removeImage();
    this.surface.style.cursor = '';
  }

  private async render(): Promise<void> {
    const generation = ++this.generation;
    const m = this.message;
    if (!m?.png) {
      this.removeImage();
      this.surface.style.cursor = m?.hidden ? 'none' : 'default';
      return;
    }
    const dpr = window.devicePixelRatio;
    const plan = planCursor(m, this.scale, dpr);
    const url = await rasterize(m.png, plan.width, plan.height);
    if (generation !== this.generation) return;
    this.removeImage();
    if (url === null) {
      this.surface.style.cursor = 'default';
    } else if (plan.drawn) {
      this.drawImage(url, plan, dpr);
    } else {
      this.surface.style.cursor = cursorCss(url, plan, dpr);
    }
  }

  private drawImage(url: string, plan: CursorPlan, dpr: number): void {
    const image = document.createElement('img');
    image.src = url;
    image.alt = '';
    image.style.cssText = 'position:absolute;left:0;top:0;pointer-events:none;will-change:transform';
    image.style.width = `${plan.width / dpr}px`;
    this.hot = { x: plan.hx, y: plan.hy };
    this.image = image;
    this.surface.style.cursor = 'none';
    this.surface.append(image);
  }

  private removeImage(): void {
    this.image?.remove();
    this.image = null;
  }
}

/** Draws a PNG at another size; null when it is not a picture. */
async function rasterize(base64: string, width: number, height: number): Promise<string | null> {
  const source = `data:image/png;base64,${base64}`;
  const image = new Image();
  image.src = source;
  try {
    await image.decode();
  } catch {
    return null;
  }
  if (image.naturalWidth === width && image.naturalHeight === height) return source;
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return source;
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, width, height);
  return canvas.toDataURL('image/png');
}
