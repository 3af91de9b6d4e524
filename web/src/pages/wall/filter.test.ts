import { expect, test } from 'vitest';
import type { Session } from '../../api/client';
import { choose, options, standing, type Choice } from './filter';

const session = (id: string, rest: Partial<Session> = {}): Session => ({
  id,
  state: 'active',
  user: { id: 'u1', name: 'alice' },
  target: { id: 't1', name: 'Desk', protocol: 'vnc' },
  started_at: '2026-03-02T10:00:00Z',
  viewers: [],
  ...rest,
});

const all: Choice = { text: '', user: '', target: '', tag: '', state: '', risk: '', sort: 'risk' };
const risk = (score: number, level: NonNullable<Session['risk']>['level']) => ({ score, level, reasons: [] });

const wall = [
  session('01', { risk: risk(0, 'low') }),
  session('02', {
    risk: risk(75, 'critical'),
    tags: ['production'],
    user: { id: 'u2', name: 'Bob' },
    state: 'frozen',
    frozen: { code: 'frozen', reason: 'stop', since: '2026-03-02T10:00:00Z' },
  }),
  session('03', {
    risk: risk(25, 'elevated'),
    target: { id: 't2', name: 'App', protocol: 'rdp' },
    state: 'frozen',
  }),
  session('04'),
];
const ids = (c: Partial<Choice>) => choose(wall, { ...all, ...c }).map((s) => s.id);

test('the riskiest is first, and of equals the newest', () => {
  expect(ids({})).toEqual(['02', '03', '04', '01']);
  expect(ids({ sort: 'newest' })).toEqual(['04', '03', '02', '01']);
  expect(ids({ sort: 'oldest' })).toEqual(['01', '02', '03', '04']);
  expect(ids({ sort: 'target' })).toEqual(['03', '04', '02', '01']);
  expect(ids({ sort: 'user' })).toEqual(['04', '03', '01', '02']);
});

test('each filter leaves what it is about', () => {
  expect(ids({ text: 'bob prod' })).toEqual(['02']);
  expect(ids({ text: 'bob elsewhere' })).toEqual([]);
  expect(ids({ user: 'u2' })).toEqual(['02']);
  expect(ids({ target: 't2' })).toEqual(['03']);
  expect(ids({ tag: 'production' })).toEqual(['02']);
  expect(ids({ state: 'frozen' })).toEqual(['02']);
  expect(ids({ state: 'reconnecting' })).toEqual(['03']);
  expect(ids({ risk: 'elevated' })).toEqual(['02', '03']);
  expect(ids({ risk: 'elevated', state: 'active' })).toEqual([]);
});

test('a session that waits for its target is not one that somebody has stopped', () => {
  expect(wall.map(standing)).toEqual(['active', 'frozen', 'reconnecting', 'active']);
});

test('what can be chosen is there once', () => {
  expect(
    options([
      ['b', 'Two'],
      ['a', 'One'],
      ['b', 'Two'],
    ]),
  ).toEqual([
    { value: 'a', label: 'One' },
    { value: 'b', label: 'Two' },
  ]);
});
