import { CursorView } from './cursor';
import { desktopSizeWish, layout, toRemote, type DisplayMode, type Layout } from './geometry';
import { Keyboard, readLocks, type KeyLike, type Platform } from './keyboard';
import { LatestWins } from './motion';
import { PasteSync } from './paste';
import { canShowPatches, PatchLane } from './patches/lane';
import { maxTextBytes, splitUtf8, type CursorMessage, type RemotePoint, type Size } from './protocol';
import type { Viewer } from './viewer';
import { WheelAccumulator } from './wheel';

/** The elements a stage works with. */
interface StageElements {
  /** Fills the room for the desktop; scrolls at 1:1. The caller's. */
  stage: HTMLElement;
  /** The picture's box, placed by the stage; takes the pointer. */
  surface: HTMLElement;
  video: HTMLVideoElement;
  /** Takes the keyboard focus, unseen, so that dead keys and input methods work. */
  keys: HTMLTextAreaElement;
}

function build(stage: HTMLElement): StageElements {
  const surface = document.createElement('div');
  surface.style.cssText = 'position:absolute;overflow:hidden;touch-action:none;user-select:none';
  surface.dataset.testid = 'desktop';
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.disablePictureInPicture = true;
  video.style.cssText = 'display:block;max-width:none;pointer-events:none;object-fit:fill';
  const keys = document.createElement('textarea');
  keys.setAttribute(
    'aria-label',
    'Remote desktop: keys go to it. Press Ctrl, Alt and Shift together to leave.',
  );
  keys.autocomplete = 'off';
  keys.autocapitalize = 'off';
  keys.spellcheck = false;
  keys.style.cssText =
    'position:absolute;left:0;top:0;width:1px;height:1px;padding:0;border:0;opacity:0;resize:none;outline:none;' +
    'pointer-events:none';
  surface.append(video, keys);
  stage.append(surface);
  return { stage, surface, video, keys };
}

/** PointerEvent.buttons bits in the protocol's order: left, middle, right, back, forward. */
export function protocolButtons(buttons: number): number {
  return (buttons & 1) | ((buttons & 4) >> 1) | ((buttons & 2) << 1) | (buttons & 8) | (buttons & 16);
}

/** A resize is asked for when the window has been still for this long, in milliseconds. */
const resizeMs = 350;

/** Lays the picture out and turns what people do with it into messages. */
export class Stage {
  readonly keyboard: Keyboard;
  private readonly cursor: CursorView;
  private readonly wheel = new WheelAccumulator();
  private readonly motion: LatestWins<RemotePoint & { buttons: number }>;
  private readonly paste: PasteSync;
  private readonly observer: ResizeObserver;
  private readonly listeners = new AbortController();
  private box: Layout = { left: 0, top: 0, width: 0, height: 0, scale: 1 };
  private mode: DisplayMode = 'fit';
  private buttons = 0;
  private resizeTimer: ReturnType<typeof setTimeout> | null = null;
  /** The desktop size last asked for. */
  private wished: Size | null = null;
  /** Exact tiles over the video; null where this browser cannot show them. */
  private patches: PatchLane | null = null;
  private escapeArmed = false;
  private escape: (() => void) | null = null;

  private readonly el: StageElements;

  constructor(
    private readonly viewer: Viewer,
    stage: HTMLElement,
    private readonly platform: Platform,
  ) {
    const el = build(stage);
    this.el = el;
    this.cursor = new CursorView(el.surface);
    this.keyboard = new Keyboard(platform, (message) => viewer.sendInput(message));
    this.motion = new LatestWins(
      (move) => viewer.sendMotion(move),
      (move) => viewer.restMotion(move),
    );
    this.paste = new PasteSync(viewer, platform);
    this.observer = new ResizeObserver(() => this.relayout());
    this.observer.observe(stage);
    this.listenToPointer();
    this.listenToKeys();
    this.openPatches();
    const { signal } = this.listeners;
    el.video.addEventListener('resize', () => this.relayout(), { signal });
    el.video.addEventListener('loadeddata', () => viewer.pictureShown(), { signal });
    window.addEventListener('blur', () => this.releaseAll(), { signal });
    this.relayout();
  }

  dispose(): void {
    this.listeners.abort();
    this.observer.disconnect();
    this.motion.drop();
    this.paste.dispose();
    this.keyboard.forget();
    this.cursor.dispose();
    if (this.resizeTimer !== null) clearTimeout(this.resizeTimer);
    this.patches?.dispose();
    this.el.video.srcObject = null;
    this.el.surface.remove();
  }

  private openPatches(): void {
    if (!canShowPatches()) {
      this.viewer.dropPatches();
      return;
    }
    this.patches = new PatchLane(
      this.el.video,
      () => this.relayout(),
      () => {
        this.patches = null;
        this.viewer.dropPatches();
      },
    );
    this.el.video.after(this.patches.canvas);
  }

  /** Shows the picture of a connection. */
  play(stream: MediaStream): void {
    this.patches?.reset();
    this.el.video.srcObject = stream;
    // Autoplay of a muted video is allowed; a refusal means the page is going away.
    this.el.video.play().catch(() => undefined);
  }

  /** A message of the patch lane. */
  showPatch(message: ArrayBuffer): void {
    this.patches?.message(message);
  }

  setMode(mode: DisplayMode): void {
    this.mode = mode;
    this.wished = null;
    this.relayout();
  }

  showCursor(message: CursorMessage): void {
    this.cursor.show(message);
  }

  focus(): void {
    this.el.keys.focus({ preventScroll: true });
  }

  /** Calls back on Ctrl+Alt+Shift, pressed alone and let go: the keyboard's way out of the desktop. */
  watchEscape(escape: () => void): () => void {
    this.escape = escape;
    return () => (this.escape = null);
  }

  /** Presses keys in order and lets go in reverse. */
  combo(codes: string[]): void {
    this.viewer.sendInput({ t: 'combo', codes });
  }

  releaseAll(): void {
    this.buttons = 0;
    this.paste.cancel();
    this.keyboard.releaseAll();
  }

  /** A text copied on the desktop. */
  remoteClipboard(text: string): void {
    this.paste.remoteText(text);
  }

  /** The size of the picture that is shown, in remote pixels. */
  private desktop(): Size {
    const { video } = this.el;
    const said = this.viewer.store.get().size;
    const shown = { width: video.videoWidth, height: video.videoHeight };
    if (shown.width === 0) return said ?? { width: 16, height: 9 };
    // H.264 codes even sizes only: the picture may have one row or column more than the desktop.
    const padded = (a: number, b: number) => a - b === 0 || a - b === 1;
    return said && padded(shown.width, said.width) && padded(shown.height, said.height) ? said : shown;
  }

  relayout(): void {
    const { stage, surface, video } = this.el;
    const { patches } = this;
    const room = { width: stage.clientWidth, height: stage.clientHeight };
    if (room.width === 0 || room.height === 0) return;
    const dpr = window.devicePixelRatio;
    const desktop = this.desktop();
    this.box = layout(this.mode, room, desktop, dpr);
    const { left, top, width, height, scale } = this.box;
    Object.assign(surface.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    video.style.width = `${(video.videoWidth || desktop.width) * scale}px`;
    video.style.height = `${(video.videoHeight || desktop.height) * scale}px`;
    // Whole zoom factors stay sharp.
    video.style.imageRendering = Number.isInteger(scale * dpr) ? 'pixelated' : 'auto';
    if (patches?.size) {
      Object.assign(patches.canvas.style, {
        width: `${patches.size.width * scale}px`,
        height: `${patches.size.height * scale}px`,
        imageRendering: video.style.imageRendering,
      });
    }
    stage.dataset.scrolls = String(width > room.width + 0.5 || height > room.height + 0.5);
    this.cursor.setScale(scale);
    this.scheduleResize(room, dpr);
  }

  private scheduleResize(room: Size, dpr: number): void {
    if (this.resizeTimer !== null) clearTimeout(this.resizeTimer);
    this.resizeTimer = null;
    if (this.mode !== 'resize') return;
    const wish = desktopSizeWish(room, dpr);
    // Once: a target that takes another size instead must not be asked for ever.
    if (this.wished?.width === wish.width && this.wished.height === wish.height) return;
    this.resizeTimer = setTimeout(() => {
      if (this.viewer.requestSize(wish)) this.wished = wish;
    }, resizeMs);
  }

  private point(event: MouseEvent): RemotePoint {
    return toRemote(
      { x: event.clientX, y: event.clientY },
      this.el.surface.getBoundingClientRect(),
      this.desktop(),
    );
  }

  private listenToPointer(): void {
    const { surface } = this.el;
    const { signal } = this.listeners;

    const onPointer = (event: PointerEvent) => {
      const box = surface.getBoundingClientRect();
      this.cursor.moveTo(event.clientX - box.left, event.clientY - box.top);
      if (!event.isPrimary) return;
      const point = this.point(event);
      const buttons = protocolButtons(event.buttons);
      if (buttons === this.buttons) {
        this.motion.push({ ...point, buttons });
        return;
      }
      // The button's own message carries the place; motion that waits is older.
      this.motion.drop();
      this.buttons = buttons;
      this.viewer.sendInput({ t: 'button', ...point, buttons });
    };

    surface.addEventListener(
      'pointerdown',
      (event) => {
        event.preventDefault();
        this.focus();
        this.paste.flushRemote();
        if (this.viewer.inControl) this.keyboard.syncLocks(readLocks(event, this.platform));
        if (event.isPrimary) surface.setPointerCapture(event.pointerId);
        onPointer(event);
      },
      { signal },
    );
    // pointermove also reports buttons pressed or released while another is held.
    for (const type of ['pointermove', 'pointerup', 'pointercancel'] as const) {
      surface.addEventListener(type, onPointer, { signal });
    }
    surface.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
    surface.addEventListener('auxclick', (event) => event.preventDefault(), { signal });
    surface.addEventListener('mousedown', (event) => event.preventDefault(), { signal });
    surface.addEventListener('dragstart', (event) => event.preventDefault(), { signal });
    surface.addEventListener(
      'wheel',
      (event) => {
        if (!this.viewer.inControl) return;
        event.preventDefault();
        const { dx, dy } = this.wheel.add(event);
        if (dx === 0 && dy === 0) return;
        this.viewer.sendInput({ t: 'wheel', ...this.point(event), buttons: this.buttons, dx, dy });
      },
      { signal, passive: false },
    );
  }

  private listenToKeys(): void {
    const { keys } = this.el;
    const { signal } = this.listeners;
    keys.addEventListener('keydown', (event) => this.onKey(event, true), { signal });
    keys.addEventListener('keyup', (event) => this.onKey(event, false), { signal });
    keys.addEventListener('blur', () => this.keyboard.releaseKeys(), { signal });
    keys.addEventListener(
      'input',
      (event) => {
        if (!(event as InputEvent).isComposing) this.takeText();
      },
      { signal },
    );
    keys.addEventListener('compositionend', () => this.takeText(), { signal });
    keys.addEventListener(
      'paste',
      (event) => {
        event.preventDefault();
        this.paste.pasted(event.clipboardData?.getData('text/plain') ?? '');
      },
      { signal },
    );
    // What the browser would copy or cut is not the desktop's.
    for (const type of ['copy', 'cut'] as const) {
      keys.addEventListener(type, (event) => event.preventDefault(), { signal });
    }
  }

  private onKey(event: KeyboardEvent, down: boolean): void {
    this.checkEscape(event, down);
    if (!this.viewer.inControl) {
      this.keyboard.forgetLocks();
      return;
    }
    this.paste.flushRemote();
    if (down) this.keyboard.syncLocks(readLocks(event, this.platform), event.code);
    const key: KeyLike = {
      code: event.code,
      key: event.key,
      timeStamp: event.timeStamp,
      repeat: event.repeat,
      isComposing: event.isComposing,
      // The only sign of an input method at work in some browsers.
      // eslint-disable-next-line @typescript-eslint/no-deprecated
      keyCode: event.keyCode,
      ctrlKey: event.ctrlKey,
      shiftKey: event.shiftKey,
      altKey: event.altKey,
      metaKey: event.metaKey,
    };
    const deliver = () => (down ? this.keyboard.keyDown(key) : this.keyboard.keyUp(key));
    // A paste brings this computer's clipboard along, which the browser hands over after the key event.
    const outcome = this.paste.intercept(key, down, deliver) ?? deliver();
    if (outcome === 'sent' || outcome === 'wait') event.preventDefault();
  }

  private takeText(): void {
    const { keys } = this.el;
    const text = keys.value;
    keys.value = '';
    for (const piece of splitUtf8(text, maxTextBytes)) this.viewer.sendInput({ t: 'text', text: piece });
  }

  private checkEscape(event: KeyboardEvent, down: boolean): void {
    if (down) {
      this.escapeArmed =
        event.ctrlKey && event.altKey && event.shiftKey && ['Control', 'Alt', 'Shift'].includes(event.key);
    } else if (this.escapeArmed) {
      this.escapeArmed = false;
      this.escape?.();
    }
  }
}
