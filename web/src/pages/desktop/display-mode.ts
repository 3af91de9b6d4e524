import type { DisplayMode } from '../../viewer/geometry';

const modeKey = 'vitrine-display-mode';
const dockKey = 'vitrine-toolbar-docked';

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

/** How this person last had the desktop laid into the window. */
export function loadDisplayMode(): DisplayMode {
  const saved = read(modeKey);
  return saved === 'actual' || saved === 'resize' ? saved : 'fit';
}

export function saveDisplayMode(mode: DisplayMode): void {
  write(modeKey, mode);
}

export function loadDocked(): boolean {
  return read(dockKey) !== 'false';
}

export function saveDocked(docked: boolean): void {
  write(dockKey, String(docked));
}
