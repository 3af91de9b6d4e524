import { useCallback, useSyncExternalStore } from 'react';

/** The Keyboard Lock API, which TypeScript's library does not know yet. */
interface KeyboardLock {
  lock: (codes?: string[]) => Promise<void>;
  unlock: () => void;
}

const keyboard = (): KeyboardLock | undefined =>
  (navigator as Navigator & { keyboard?: KeyboardLock }).keyboard;

function subscribe(changed: () => void): () => void {
  document.addEventListener('fullscreenchange', changed);
  return () => document.removeEventListener('fullscreenchange', changed);
}

/** Full screen, with every key for the desktop where the browser allows it (Esc held down leaves). */
export function useFullScreen() {
  const active = useSyncExternalStore(subscribe, () => document.fullscreenElement !== null);
  const toggle = useCallback(async () => {
    if (document.fullscreenElement) {
      keyboard()?.unlock();
      await document.exitFullscreen();
      return;
    }
    // The whole document, so that menus and dialogs stay visible.
    await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
    await keyboard()
      ?.lock()
      .catch(() => undefined);
  }, []);
  return { active, toggle };
}
