import { expect, test } from 'vitest';
import type { Rule } from '../../api/detection';
import { originText, patternsOf, ruleText, sameRule, scopeText } from './scope';

const rule: Rule = {
  id: 'logs',
  name: 'Logs removed',
  severity: 'high',
  action: 'freeze',
  sources: ['typed', 'clipboard'],
  any: ['^rm '],
};

test('a scope in a line', () => {
  expect(scopeText(undefined)).toBe('Every session');
  expect(scopeText({ users: [] })).toBe('Every session');
  expect(scopeText({ groups: ['ops', 'dba'], tags: ['prod'] })).toBe(
    'groups ops, dba; tags of the target prod',
  );
});

test('where a rule is from', () => {
  expect(originText({ origin: 'shipped', configured: false })).toBe('Vitrine');
  expect(originText({ origin: 'shipped', configured: true })).toBe('Vitrine, by configuration');
  expect(originText({ origin: 'shipped', configured: true, change: 'adjusted' })).toBe('Vitrine, adjusted');
  expect(originText({ origin: 'console', configured: false })).toBe('Console');
});

test('a search finds rules by what they do and look for', () => {
  const text = ruleText({ rule, origin: 'shipped', configured: false, revision: 0 });
  for (const word of ['logs', 'freeze', 'typed', '^rm ', 'shipped']) expect(text).toContain(word);
});

test('patterns stand one in a line', () => {
  expect(patternsOf('^a b \n\n  \n\\bc\r\n')).toEqual(['^a b ', '\\bc']);
});

test('rules are the same whatever is left out, and different in anything else', () => {
  expect(sameRule(rule, { ...rule, all: [], scope: { users: [] }, disabled: false, about: '' })).toBe(true);
  expect(sameRule(rule, { ...rule, sources: ['clipboard', 'typed'] })).toBe(true);
  expect(sameRule(rule, { ...rule, any: ['^rm'] })).toBe(false);
  expect(sameRule(rule, { ...rule, scope: { tags: ['prod'] } })).toBe(false);
  expect(sameRule(rule, { ...rule, disabled: true })).toBe(false);
});
