import { describe, expect, it } from 'vitest';
import {
  ClipAssembler,
  clipMessages,
  ClipboardTooLargeError,
  maxClipboardBytes,
  normalizeLines,
} from './clipboard';
import { utf8Length } from './protocol';

describe('clipMessages', () => {
  it.each([
    ['empty', ''],
    ['short', 'hello'],
    ['long', 'ä'.repeat(100_000)],
    ['emoji across the cut', `${'a'.repeat(16 * 1024 - 1)}😀`],
    ['full of escapes', '\u0001'.repeat(200_000)],
    ['exactly the limit', 'x'.repeat(maxClipboardBytes)],
  ])('%s arrives whole in messages within the limits', (_, text) => {
    const messages = clipMessages(7, text);
    const assembler = new ClipAssembler();
    let whole: string | null = null;
    for (const message of messages) {
      expect(whole).toBeNull();
      expect(utf8Length(message.text)).toBeLessThanOrEqual(16 * 1024);
      expect(utf8Length(JSON.stringify(message))).toBeLessThanOrEqual(64 * 1024);
      whole = assembler.add(message);
    }
    expect(whole).toBe(text);
  });

  it('uses no more parts than the limits demand', () => {
    expect(clipMessages(1, 'x'.repeat(maxClipboardBytes))).toHaveLength(64);
  });

  it('refuses a text that is too long, with the figure', () => {
    const text = 'x'.repeat(maxClipboardBytes + 1);
    expect(() => clipMessages(1, text)).toThrow(ClipboardTooLargeError);
    expect(() => clipMessages(1, 'x'.repeat(3 << 20))).toThrow('3.0 MiB');
  });
});

describe('ClipAssembler', () => {
  const part = (id: number, n: number, parts: number, text: string) => ({
    t: 'clip' as const,
    id,
    part: n,
    parts,
    text,
  });

  it('drops a text with a part missing and takes the next', () => {
    const assembler = new ClipAssembler();
    expect(assembler.add(part(1, 0, 3, 'a'))).toBeNull();
    expect(assembler.add(part(1, 2, 3, 'c'))).toBeNull();
    expect(assembler.add(part(1, 1, 3, 'b'))).toBeNull();
    expect(assembler.add(part(2, 0, 1, 'whole'))).toBe('whole');
  });

  it('drops a text that changes its number of parts or its id', () => {
    const assembler = new ClipAssembler();
    assembler.add(part(1, 0, 2, 'a'));
    expect(assembler.add(part(2, 1, 2, 'b'))).toBeNull();
    assembler.add(part(1, 0, 2, 'a'));
    expect(assembler.add(part(1, 1, 9, 'b'))).toBeNull();
  });

  it('does not grow beyond the limit', () => {
    const assembler = new ClipAssembler();
    for (let i = 0; i < 100; i++) assembler.add(part(1, i, 101, 'x'.repeat(16 * 1024)));
    expect(assembler.add(part(1, 100, 101, 'x'))).toBeNull();
  });
});

it('normalizeLines makes LF of every line end', () => {
  expect(normalizeLines('a\r\nb\rc\nd')).toBe('a\nb\nc\nd');
});
