import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Keyboard, readLocks, type KeyLike, type Platform } from './keyboard';
import type { InputMessage } from './protocol';

type Step = ['down' | 'up', string, string, Partial<KeyLike>?];

function key(code: string, name: string, extra: Partial<KeyLike> = {}): KeyLike {
  const base = { repeat: false, isComposing: false, keyCode: 0, timeStamp: 0 };
  return {
    ...base,
    ctrlKey: false,
    shiftKey: false,
    altKey: false,
    metaKey: false,
    code,
    key: name,
    ...extra,
  };
}

/** Messages in short: +KeyA:a pressed, -KeyA:a let go. */
function short(m: InputMessage): string {
  return m.t === 'key' ? `${m.down ? '+' : '-'}${m.code}:${m.key}` : m.t;
}

function play(platform: Platform, steps: Step[]): { sent: string[]; outcomes: string[]; keyboard: Keyboard } {
  const sent: string[] = [];
  const keyboard = new Keyboard(platform, (m) => sent.push(short(m)));
  const outcomes = steps.map(([way, code, name, extra]) =>
    way === 'down' ? keyboard.keyDown(key(code, name, extra)) : keyboard.keyUp(key(code, name, extra)),
  );
  return { sent, outcomes, keyboard };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Keyboard', () => {
  const cases: { name: string; platform: Platform; steps: Step[]; sent: string[] }[] = [
    {
      name: 'passes a plain key on',
      platform: 'other',
      steps: [
        ['down', 'KeyA', 'a'],
        ['up', 'KeyA', 'a'],
      ],
      sent: ['+KeyA:a', '-KeyA:a'],
    },
    {
      name: 'lets a key go as what it was pressed as, though Shift went up first',
      platform: 'other',
      steps: [
        ['down', 'ShiftLeft', 'Shift', { shiftKey: true }],
        ['down', 'KeyA', 'A', { shiftKey: true }],
        ['up', 'ShiftLeft', 'Shift'],
        ['up', 'KeyA', 'a'],
      ],
      sent: ['+ShiftLeft:Shift', '+KeyA:A', '-ShiftLeft:Shift', '-KeyA:A'],
    },
    {
      name: 'sends auto-repeat as further presses',
      platform: 'other',
      steps: [
        ['down', 'KeyA', 'a'],
        ['down', 'KeyA', 'a', { repeat: true }],
        ['up', 'KeyA', 'a'],
      ],
      sent: ['+KeyA:a', '+KeyA:a', '-KeyA:a'],
    },
    {
      name: 'drops a release whose press went elsewhere',
      platform: 'other',
      steps: [['up', 'KeyA', 'a']],
      sent: [],
    },
    {
      name: 'leaves dead keys and input methods to the text',
      platform: 'other',
      steps: [
        ['down', 'Quote', 'Dead'],
        ['down', 'KeyE', 'Process', { keyCode: 229 }],
        ['down', 'KeyE', 'e', { isComposing: true }],
        ['up', 'KeyE', 'e'],
      ],
      sent: [],
    },
    {
      name: 'takes Windows’ false Control away from AltGr',
      platform: 'windows',
      steps: [
        ['down', 'ControlLeft', 'Control', { ctrlKey: true, timeStamp: 10 }],
        ['down', 'AltRight', 'AltGraph', { ctrlKey: true, altKey: true, timeStamp: 11 }],
        ['down', 'KeyQ', '@', { ctrlKey: true, altKey: true, timeStamp: 90 }],
        ['up', 'KeyQ', '@', { timeStamp: 120 }],
        ['up', 'ControlLeft', 'Control', { timeStamp: 150 }],
        ['up', 'AltRight', 'AltGraph', { timeStamp: 150 }],
      ],
      sent: ['+AltRight:AltGraph', '+KeyQ:@', '-KeyQ:@', '-AltRight:AltGraph'],
    },
    {
      name: 'keeps a real Control on Windows, in order',
      platform: 'windows',
      steps: [
        ['down', 'ControlLeft', 'Control', { ctrlKey: true, timeStamp: 10 }],
        ['down', 'KeyC', 'c', { ctrlKey: true, timeStamp: 40 }],
        ['up', 'KeyC', 'c', { ctrlKey: true, timeStamp: 80 }],
        ['up', 'ControlLeft', 'Control', { timeStamp: 100 }],
      ],
      sent: ['+ControlLeft:Control', '+KeyC:c', '-KeyC:c', '-ControlLeft:Control'],
    },
    {
      name: 'keeps a tap of Control on Windows',
      platform: 'windows',
      steps: [
        ['down', 'ControlLeft', 'Control', { ctrlKey: true, timeStamp: 10 }],
        ['up', 'ControlLeft', 'Control', { timeStamp: 30 }],
      ],
      sent: ['+ControlLeft:Control', '-ControlLeft:Control'],
    },
    {
      name: 'lets both Shift keys go on Windows, which reports one',
      platform: 'windows',
      steps: [
        ['down', 'ShiftLeft', 'Shift', { shiftKey: true }],
        ['down', 'ShiftRight', 'Shift', { shiftKey: true }],
        ['up', 'ShiftRight', 'Shift'],
      ],
      sent: ['+ShiftLeft:Shift', '+ShiftRight:Shift', '-ShiftLeft:Shift', '-ShiftRight:Shift'],
    },
    {
      name: 'lets a key go at once while Command is down on macOS',
      platform: 'mac',
      steps: [
        ['down', 'MetaLeft', 'Meta', { metaKey: true }],
        ['down', 'KeyC', 'c', { metaKey: true }],
        ['up', 'MetaLeft', 'Meta'],
      ],
      sent: ['+MetaLeft:Meta', '+KeyC:c', '-KeyC:c', '-MetaLeft:Meta'],
    },
    {
      name: 'lets keys pressed before Command go with it on macOS',
      platform: 'mac',
      steps: [
        ['down', 'KeyX', 'x'],
        ['down', 'MetaLeft', 'Meta', { metaKey: true }],
        ['up', 'MetaLeft', 'Meta'],
      ],
      sent: ['+KeyX:x', '+MetaLeft:Meta', '-KeyX:x', '-MetaLeft:Meta'],
    },
    {
      name: 'sends the character Option makes on macOS, without Alt',
      platform: 'mac',
      steps: [
        ['down', 'AltLeft', 'Alt', { altKey: true }],
        ['down', 'KeyL', '@', { altKey: true }],
        ['up', 'KeyL', '@', { altKey: true }],
        ['up', 'AltLeft', 'Alt'],
      ],
      sent: ['+KeyL:@', '-KeyL:@'],
    },
    {
      name: 'sends Alt for Option with a key that makes no character on macOS',
      platform: 'mac',
      steps: [
        ['down', 'AltLeft', 'Alt', { altKey: true }],
        ['down', 'Tab', 'Tab', { altKey: true }],
        ['up', 'Tab', 'Tab', { altKey: true }],
        ['up', 'AltLeft', 'Alt'],
      ],
      sent: ['+AltLeft:Alt', '+Tab:Tab', '-Tab:Tab', '-AltLeft:Alt'],
    },
    {
      name: 'sends a tap of Option as Alt on macOS',
      platform: 'mac',
      steps: [
        ['down', 'AltLeft', 'Alt', { altKey: true }],
        ['up', 'AltLeft', 'Alt'],
      ],
      sent: ['+AltLeft:Alt', '-AltLeft:Alt'],
    },
    {
      name: 'makes a press of each half of Caps Lock on macOS',
      platform: 'mac',
      steps: [
        ['down', 'CapsLock', 'CapsLock'],
        ['up', 'CapsLock', 'CapsLock'],
      ],
      sent: ['+CapsLock:CapsLock', '-CapsLock:CapsLock', '+CapsLock:CapsLock', '-CapsLock:CapsLock'],
    },
    {
      name: 'adds the press Print Screen does not report',
      platform: 'other',
      steps: [['up', 'PrintScreen', 'PrintScreen']],
      sent: ['+PrintScreen:PrintScreen', '-PrintScreen:PrintScreen'],
    },
    {
      name: 'lets a modifier go whose release went elsewhere',
      platform: 'other',
      steps: [
        ['down', 'ControlLeft', 'Control', { ctrlKey: true }],
        ['down', 'KeyA', 'a'],
      ],
      sent: ['+ControlLeft:Control', '-ControlLeft:Control', '+KeyA:a'],
    },
  ];
  it.each(cases)('$name', ({ platform, steps, sent }) => {
    expect(play(platform, steps).sent).toEqual(sent);
  });

  it('lets the browser make text of what it does not send, and nothing else', () => {
    const { outcomes } = play('other', [
      ['down', 'Quote', 'Dead'],
      ['down', 'KeyE', 'é'],
      ['down', 'F5', 'F5'],
    ]);
    expect(outcomes).toEqual(['text', 'sent', 'sent']);
  });

  it('sends a Control held alone on Windows once it cannot be AltGr any more', () => {
    const { sent } = play('windows', [['down', 'ControlLeft', 'Control', { ctrlKey: true }]]);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(sent).toEqual(['+ControlLeft:Control']);
  });

  it('lets go of fingers’ keys, not of held modifiers, when the focus moves on the page', () => {
    const { sent, keyboard } = play('other', [['down', 'KeyA', 'a']]);
    keyboard.hold('AltLeft', 'Alt', true);
    keyboard.hold('AltLeft', 'Alt', true);
    keyboard.releaseKeys();
    expect(sent).toEqual(['+KeyA:a', '+AltLeft:Alt', '-KeyA:a']);
    expect(keyboard.heldCodes()).toEqual(['AltLeft']);
    keyboard.hold('AltLeft', 'Alt', false);
    expect(sent.at(-1)).toBe('-AltLeft:Alt');
  });

  it('tells what is locked before the first key, when it changed, and after a lock key was pressed', () => {
    const sent: InputMessage[] = [];
    const keyboard = new Keyboard('other', (m) => sent.push(m));
    const none = { caps: false, num: true, scroll: false };
    const caps = { ...none, caps: true };
    keyboard.syncLocks(none, 'KeyA');
    keyboard.syncLocks(none, 'KeyB');
    keyboard.syncLocks(caps, 'KeyC');
    expect(sent).toEqual([
      { t: 'locks', ...none },
      { t: 'locks', ...caps },
    ]);
    keyboard.syncLocks(none, 'CapsLock');
    expect(sent).toHaveLength(2);
    keyboard.syncLocks(none, 'KeyD');
    expect(sent.slice(2)).toEqual([{ t: 'locks', ...none }]);
    keyboard.forgetLocks();
    keyboard.syncLocks(none);
    expect(sent).toHaveLength(4);
    keyboard.releaseKeys();
    keyboard.syncLocks(none);
    expect(sent).toHaveLength(5);
  });

  it('takes the keypad of a Mac to be locked to digits', () => {
    const event = { getModifierState: (key: string) => key === 'CapsLock' };
    expect(readLocks(event, 'mac')).toEqual({ caps: true, num: true, scroll: false });
    expect(readLocks(event, 'windows')).toEqual({ caps: true, num: false, scroll: false });
  });

  it('lets go of everything with one message when the window loses the focus', () => {
    const { sent, keyboard } = play('other', [['down', 'ControlLeft', 'Control', { ctrlKey: true }]]);
    keyboard.hold('MetaLeft', 'Meta', true);
    keyboard.releaseAll();
    keyboard.keyUp(key('ControlLeft', 'Control'));
    expect(sent).toEqual(['+ControlLeft:Control', '+MetaLeft:Meta', 'release']);
    expect(keyboard.heldCodes()).toEqual([]);
  });
});
