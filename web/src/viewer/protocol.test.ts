import { describe, expect, it } from 'vitest';
import { parseClipboard, parseControl, splitUtf8, utf8Length } from './protocol';

const hello = {
  t: 'hello',
  viewer: 'v',
  role: 'control',
  session: 's',
  width: 1920,
  height: 1080,
  name: 'n',
  resizable: true,
  watching: '',
};

describe('parseControl', () => {
  const good: [string, unknown, unknown][] = [
    ['hello', hello, hello],
    ['fields nobody knows', { ...hello, more: 1 }, hello],
    ['size', { t: 'size', width: 1, height: 2 }, { t: 'size', width: 1, height: 2 }],
    [
      'state without a reason',
      { t: 'state', state: 'frozen' },
      { t: 'state', state: 'frozen', code: '', message: '' },
    ],
    [
      'the default cursor',
      { t: 'cursor', hidden: false },
      { t: 'cursor', hidden: false, hx: 0, hy: 0, w: 0, h: 0 },
    ],
    [
      'a cursor',
      { t: 'cursor', hidden: false, hx: 3, hy: 4, w: 24, h: 24, png: 'iVBORw0K' },
      { t: 'cursor', hidden: false, hx: 3, hy: 4, w: 24, h: 24, png: 'iVBORw0K' },
    ],
    ['pong without figures', { t: 'pong', id: 7 }, { t: 'pong', id: 7, fps: 0, kbps: 0 }],
    ['bell', { t: 'bell' }, { t: 'bell' }],
    ['role', { t: 'role', role: 'view', message: 'm' }, { t: 'role', role: 'view', message: 'm' }],
    [
      'ending',
      { t: 'ending', code: 'idle', message: 'm', in_ms: 5 },
      { t: 'ending', code: 'idle', message: 'm', inMs: 5 },
    ],
    ['no ending', { t: 'ending', code: '', message: '' }, { t: 'ending', code: '', message: '', inMs: 0 }],
    ['hello to a watcher', { ...hello, watching: 'silent' }, { ...hello, watching: 'silent' }],
    [
      'a freeze for the person',
      { t: 'freeze', on: true, by: 'c', for_ms: 7, live: false, still: '/9j/4AAQ' },
      { t: 'freeze', on: true, by: 'c', forMs: 7, live: false, still: '/9j/4AAQ' },
    ],
    [
      'a freeze whose still would escape its address',
      { t: 'freeze', on: true, live: false, still: 'A"),url(x' },
      { t: 'freeze', on: true, by: '', forMs: 0, live: false, still: '' },
    ],
    [
      'a question',
      {
        t: 'question',
        id: 'q',
        by: 'a',
        mine: true,
        rules: [{ name: 'n' }],
        source: 'typed',
        excerpt: 'rm',
        held: true,
        for_ms: 1,
        in_ms: 2,
      },
      {
        t: 'question',
        id: 'q',
        by: 'a',
        mine: true,
        rules: [{ name: 'n', about: '' }],
        source: 'typed',
        excerpt: 'rm',
        held: true,
        forMs: 1,
        inMs: 2,
      },
    ],
    [
      'no question',
      { t: 'question', id: '', mine: false, for_ms: 0 },
      {
        t: 'question',
        id: '',
        by: '',
        mine: false,
        rules: [],
        source: '',
        excerpt: '',
        held: false,
        forMs: 0,
        inMs: 0,
      },
    ],
    [
      'the end of a freeze',
      { t: 'freeze', on: false, for_ms: 0, live: false },
      { t: 'freeze', on: false, by: '', forMs: 0, live: false, still: '' },
    ],
    [
      'a take-over',
      { t: 'control', by: 'c', for_ms: 3, mine: true },
      { t: 'control', by: 'c', forMs: 3, mine: true },
    ],
    [
      'a message',
      { t: 'message', id: 'i', from: 'c', text: 'x', for_ms: 0 },
      { t: 'message', id: 'i', from: 'c', text: 'x', forMs: 0 },
    ],
    ['a message that was read', { t: 'read', id: 'i' }, { t: 'read', id: 'i' }],
    [
      'watchers',
      { t: 'watchers', watchers: [{ name: 'c', for_ms: 9 }] },
      { t: 'watchers', watchers: [{ name: 'c', forMs: 9 }] },
    ],
    ['notice', { t: 'notice', level: 'error', message: 'm' }, { t: 'notice', level: 'error', message: 'm' }],
  ];
  it.each(good)('%s', (_, message, parsed) => {
    expect(parseControl(JSON.stringify(message))).toEqual(parsed);
  });

  const bad: [string, unknown][] = [
    ['no JSON', 'hello'],
    ['binary', new ArrayBuffer(4)],
    ['an array', '[]'],
    ['null', 'null'],
    ['unknown', '{"t":"eval"}'],
    ['a role that is none', JSON.stringify({ ...hello, role: 'root' })],
    ['a size of nothing', JSON.stringify({ t: 'size', width: 0, height: 5 })],
    ['a size that is no number', JSON.stringify({ t: 'size', width: '5', height: 5 })],
    ['a cursor with its hotspot outside', '{"t":"cursor","hx":24,"hy":0,"w":24,"h":24,"png":"AAAA"}'],
    ['a cursor that would escape its URL', '{"t":"cursor","hx":0,"hy":0,"w":8,"h":8,"png":"A\\"),url(x"}'],
    ['a huge cursor', '{"t":"cursor","hx":0,"hy":0,"w":9999,"h":8,"png":"AAAA"}'],
    ['a question without an id', '{"t":"question","rules":[]}'],
    ['a question of no rules', '{"t":"question","id":"q","rules":{"name":"n"}}'],
    ['a question of nameless rules', '{"t":"question","id":"q","rules":[{}]}'],
    ['a freeze that is neither', '{"t":"freeze","by":"c"}'],
    ['a message without an id', '{"t":"message","text":"x"}'],
    ['a message without a text', '{"t":"message","id":"i"}'],
    ['watchers that are none', '{"t":"watchers","watchers":[1]}'],
    ['no list of watchers', '{"t":"watchers"}'],
    ['a state that is none', '{"t":"state","state":"paused"}'],
  ];
  it.each(bad)('refuses %s', (_, data) => {
    expect(parseControl(data)).toBeNull();
  });
});

describe('parseClipboard', () => {
  it('reads parts and refusals', () => {
    const part = { t: 'clip', id: 1, part: 0, parts: 2, text: 'x' };
    expect(parseClipboard(JSON.stringify(part))).toEqual(part);
    expect(parseClipboard('{"t":"clip_refused","id":3,"message":"too long"}')).toEqual({
      t: 'clip_refused',
      id: 3,
      message: 'too long',
    });
  });

  it.each([
    '{"t":"clip","id":1,"part":2,"parts":2,"text":"x"}',
    '{"t":"clip","id":1,"part":0,"parts":99999,"text":"x"}',
    '{"t":"clip","id":-1,"part":0,"parts":1,"text":"x"}',
    '{"t":"clip","id":1,"part":0,"parts":1}',
  ])('refuses %s', (data) => {
    expect(parseClipboard(data)).toBeNull();
  });
});

describe('splitUtf8', () => {
  it.each([
    ['abcdef', 4, ['abcd', 'ef']],
    ['日本語', 4, ['日', '本', '語']],
    ['a😀b', 4, ['a', '😀', 'b']],
    ['a😀b', 5, ['a😀', 'b']],
    ['', 4, []],
  ])('%s at %i bytes', (text, limit, pieces) => {
    expect(splitUtf8(text, limit)).toEqual(pieces);
    for (const piece of pieces) expect(utf8Length(piece)).toBeLessThanOrEqual(limit);
  });
});
