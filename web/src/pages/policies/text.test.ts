import { describe, expect, it } from 'vitest';
import { idOf, offsetOf, permitsAndForbids } from './text';

describe('permitsAndForbids', () => {
  it('counts statements, not what is said of them', () => {
    expect(
      permitsAndForbids(
        '// permit (\n@doc("forbid (")\npermit (principal, action, resource);\nforbid(a,b,c);',
      ),
    ).toEqual({ permits: 1, forbids: 1 });
    expect(permitsAndForbids('')).toEqual({ permits: 0, forbids: 0 });
  });
});

describe('idOf', () => {
  it.each([
    ['Night shift (ops)', 'night-shift-ops'],
    ['Zürich', 'zu-rich'],
    ['  ', ''],
    ['x'.repeat(80), 'x'.repeat(64)],
  ])('%s', (name, id) => expect(idOf(name)).toBe(id));
});

describe('offsetOf', () => {
  it('counts characters, not code units', () => {
    const text = 'a😀b\ncd';
    expect(text.slice(offsetOf(text, 1, 3))).toBe('b\ncd');
    expect(text.slice(offsetOf(text, 2, 2))).toBe('d');
    expect(offsetOf(text, 9, 9)).toBeGreaterThanOrEqual(text.length);
  });
});
