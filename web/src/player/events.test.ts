import { describe, expect, it } from 'vitest';
import type { RecordingEvent } from '../api/client';
import { entryAt, EventList, searchEntries } from './events';

let clock = 0;

function event(kind: string, fields: Record<string, unknown> = {}, afterMs = 100): RecordingEvent {
  clock += afterMs;
  return { t_us: clock * 1000, kind, actor: 'alice', ...fields };
}

const key = (name: string, down = true, afterMs = 100) =>
  event('key', { key: name, keysym: name.length === 1 ? name.charCodeAt(0) : 0xff00, down }, afterMs);

function typed(text: string): RecordingEvent[] {
  return Array.from(text).flatMap((c) => [key(c), key(c, false)]);
}

function list(...events: RecordingEvent[]) {
  const l = new EventList();
  l.add(events);
  return l.entries.map((e) => `${e.label}${e.detail ? `: ${e.detail}` : ''}`);
}

describe('EventList', () => {
  it('joins keys into the text they typed', () => {
    expect(list(...typed('ls -l'), key('Return'))).toEqual(['Typed: ls -l⏎']);
  });

  it('shows keys that make no character as marks, and mistakes as they were', () => {
    expect(list(...typed('sl'), key('BackSpace'), key('Tab'), key('Left'))).toEqual(['Typed: sl⌫⇥←']);
  });

  it('begins a new text after Enter, a pause, another actor or another act', () => {
    expect(list(...typed('a'), key('Return'), ...typed('b'))).toEqual(['Typed: a⏎', 'Typed: b']);
    expect(list(...typed('a'), key('b', true, 5000))).toEqual(['Typed: a', 'Typed: b']);
    expect(list(...typed('a'), { ...key('b'), actor: 'bob' })).toEqual(['Typed: a', 'Typed: b']);
    expect(list(...typed('a'), event('resize', { width: 1, height: 2 }), ...typed('b'))).toEqual([
      'Typed: a',
      'Desktop size: 1 × 2',
      'Typed: b',
    ]);
  });

  it('does not count Shift as a chord, and shows chords apart', () => {
    expect(list(key('Shift_L'), key('A'), key('A', false), key('Shift_L', false), ...typed('b'))).toEqual([
      'Typed: Ab',
    ]);
    expect(list(key('Control_L'), key('c'), key('c', false), key('Control_L', false), ...typed('x'))).toEqual(
      ['Ctrl+C', 'Typed: x'],
    );
    expect(list(key('ControlLeft'), key('Alt_R'), key('Delete'))).toEqual(['Ctrl+Alt+Delete']);
  });

  it('puts what was read off the picture where it was seen, and not between what was typed', () => {
    const l = new EventList();
    l.add([event('name', { name: 'desk' }), ...typed('ls -l /e')]);
    const seen = clock * 1000 - 50;
    l.add([
      event('screen', { text: 'one\ntwo', shown_us: seen }, 900),
      ...typed('tc'),
      event('screen_unread', { reason: 'busy', count: 2 }),
    ]);
    expect(l.entries.map((e) => `${e.label}: ${e.detail}`)).toEqual([
      'Desktop name: desk',
      'Typed: ls -l /etc',
      'On the screen: one ⏎ two',
      'Screen not read: 2 parts: gone before its turn',
    ]);
    expect(l.entries[2]?.startMs).toBe(seen / 1000);
    l.add([event('screen', { text: 'early', shown_us: 1 })]);
    expect(l.entries[0]?.detail).toBe('early');
    expect(l.entries.map((e) => e.startMs)).toEqual(l.entries.map((e) => e.startMs).sort((a, b) => a - b));
  });

  it('takes AltGr for part of the character', () => {
    expect(list(key('ISO_Level3_Shift'), key('@'))).toEqual(['Typed: @']);
  });

  it('knows characters by their keysym', () => {
    expect(list(event('key', { key: 'eacute', keysym: 0xe9, down: true }))).toEqual(['Typed: é']);
    expect(list(event('key', { key: 'U20AC', keysym: 0x010020ac, down: true }))).toEqual(['Typed: €']);
  });

  it('joins composed text to typed text', () => {
    expect(list(...typed('a'), event('text', { text: '日本' }))).toEqual(['Typed: a日本']);
  });

  it('makes one click of press and release, and one scroll of many turns', () => {
    const at = { x: 10, y: 20 };
    expect(
      list(
        event('pointer', { ...at, buttons: 4, action: 'down' }),
        event('pointer', { ...at, buttons: 0, action: 'up' }),
        event('pointer', { ...at, buttons: 1, action: 'down' }),
        event('pointer', { ...at, buttons: 0, action: 'up' }),
        event('pointer', { ...at, buttons: 1, action: 'down' }),
        event('wheel', { ...at, dy: 1 }),
        event('wheel', { ...at, dy: 1 }),
      ),
    ).toEqual(['Right click: at 10, 20', 'Click: at 10, 20', 'Scrolled: at 10, 20']);
  });

  it('names the rest', () => {
    expect(
      list(
        event('clipboard', { direction: 'to_target', bytes: 3, text: 'abc' }),
        event('clipboard', { direction: 'from_target', bytes: 3 }),
        event('viewer_join', { role: 'view', address: '192.0.2.1' }),
        event('viewer_leave', { reason: 'closed' }),
        event('control', { action: 'taken' }),
        event('state', { state: 'frozen', reason: 'spool_full', message: 'The disk is full.' }),
        event('rejected', { what: 'clipboard', message: 'too large', count: 3 }),
        event('line', { text: 'sudo ls', certainty: 'certain' }),
        event('alert', { rule: 'r', name: 'Passwords read', excerpt: 'cat /etc/shadow' }),
        event('freeze', { message: 'Stop, please.' }),
        event('message', { action: 'sent', text: 'Who are you?' }),
        event('control', { action: 'taken_over' }),
        event('something_new', { whatever: 1 }),
      ),
    ).toEqual([
      'Clipboard to the desktop: abc',
      'Clipboard from the desktop: 3 bytes',
      'Began to watch: 192.0.2.1',
      'Left: closed',
      'Took control',
      'Frozen: The disk is full.',
      'Refused: clipboard: too large (3×)',
      'Line: sudo ls',
      'Alert: Passwords read: cat /etc/shadow',
      'Frozen: Stop, please.',
      'Message: Who are you?',
      'Took over',
      'something new',
    ]);
  });

  it('is the same whether events come at once or one by one', () => {
    const events = [
      ...typed('ls'),
      key('Control_L'),
      key('c'),
      key('c', false),
      key('Control_L', false),
      ...typed('x'),
    ];
    const l = new EventList();
    for (const e of events) l.add([e]);
    const all = new EventList();
    all.add(events);
    expect(l.entries).toEqual(all.entries);
  });
});

it('searches and finds the entry of a time', () => {
  clock = 0;
  const l = new EventList();
  l.add([...typed('systemctl'), event('clipboard', { direction: 'to_target', text: 'Secret' }, 9000)]);
  expect(searchEntries(l.entries, 'SECRET alice')).toHaveLength(1);
  expect(searchEntries(l.entries, 'secret nobody')).toHaveLength(0);
  expect(searchEntries(l.entries, ' ')).toHaveLength(2);
  expect(entryAt(l.entries, 0)).toBe(-1);
  expect(entryAt(l.entries, 500)).toBe(0);
  expect(entryAt(l.entries, 1e9)).toBe(1);
});
