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
