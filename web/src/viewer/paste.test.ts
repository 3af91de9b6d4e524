import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClipboardTooLargeError } from './clipboard';
import type { KeyLike } from './keyboard';
import { PasteSync } from './paste';
import type { Viewer } from './viewer';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ctrlV = { code: 'KeyV', key: 'v', ctrlKey: true, repeat: false, altKey: false } as KeyLike;
const a = { code: 'KeyA', key: 'a', ctrlKey: false } as KeyLike;

function make(refuse?: Error) {
  const log: string[] = [];
  const viewer = {
    sendClipboard: (text: string) => {
      if (refuse) throw refuse;
      log.push(`clip ${text}`);
    },
    notify: (_: string, message: string) => log.push(`notice ${message}`),
  } as unknown as Viewer;
  const paste = new PasteSync(viewer, 'other');
  const press = (key: KeyLike, name: string) => {
    const waits = paste.intercept(key, true, () => log.push(name));
    if (!waits) log.push(name);
    return waits;
  };
  return { log, paste, press };
}

describe('PasteSync', () => {
  it('sends this computer’s clipboard before the key that pastes it, and keeps the order of what follows', () => {
    const { log, paste, press } = make();
    expect(press(ctrlV, 'v')).toBe('paste');
    paste.pasted('new');
    expect(press(a, 'a')).toBe('wait');
    expect(log).toEqual(['clip new']);
    vi.advanceTimersByTime(100);
    expect(log).toEqual(['clip new', 'v', 'a']);
    expect(press(a, 'a')).toBeNull();
  });

  it('passes the key on where the browser has nothing to paste', () => {
    const { log, press } = make();
    press(ctrlV, 'v');
    vi.advanceTimersByTime(1);
    expect(log).toEqual(['v']);
  });

  it('does not send back what came from the desktop', () => {
    const { log, paste, press } = make();
    paste.remoteText('same');
    press(ctrlV, 'v');
    paste.pasted('same');
    vi.advanceTimersByTime(100);
    expect(log).toEqual(['v']);
  });

  it('says that a text is too long and still passes the key on', () => {
    const { log, paste, press } = make(new ClipboardTooLargeError(3 << 20));
    press(ctrlV, 'v');
    paste.pasted('long');
    vi.advanceTimersByTime(100);
    expect(log[0]).toMatch(/^notice This text is 3\.0 MiB/);
    expect(log[1]).toBe('v');
  });

  it('forgets keys that wait when the window loses the focus', () => {
    const { log, paste, press } = make();
    press(ctrlV, 'v');
    paste.pasted('x');
    paste.cancel();
    vi.advanceTimersByTime(100);
    expect(log).toEqual(['clip x']);
  });
});
