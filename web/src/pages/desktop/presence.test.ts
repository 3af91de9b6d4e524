import { expect, it } from 'vitest';
import { names, presence } from './presence';

const nobody = { over: null, freeze: null, question: null, watchers: [] };
const question = {
  id: 'q',
  by: 'Alice',
  mine: false,
  rules: [
    { name: 'Logs removed', about: '' },
    { name: 'Mass deletion', about: '' },
  ],
  source: 'typed',
  excerpt: '',
  held: true,
  since: 0,
  until: null,
};
const freeze = { by: 'Carol', reason: 'r', since: 0, live: true, still: '' };
const watchers = ['Carol', 'Dan', 'Carol'].map((name) => ({ name, since: 0 }));

it.each([
  ['left alone', {}, { control: '', frozen: '', watching: '' }],
  ['taken over', { over: { by: 'Carol', since: 0, mine: false } }, { control: 'Carol has control' }],
  ['in control', { over: { by: 'Carol', since: 0, mine: true } }, { control: 'You have control' }],
  ['frozen for its person', { freeze }, { frozen: 'Frozen by Carol' }],
  ['frozen by a rule', { freeze: { ...freeze, by: '' } }, { frozen: 'Frozen by a rule' }],
  // The overlay says it to the person, and more.
  ['frozen', { freeze: { ...freeze, live: false } }, { frozen: '' }],
  ['asked about', { question }, { asked: 'Alice is asked for a reason: Logs removed, Mass deletion' }],
  ['asked about here', { question: { ...question, mine: true } }, { asked: '' }],
  ['watched twice by one', { watchers }, { watching: 'Carol and Dan are watching' }],
  ['watched', { watchers: watchers.slice(0, 1) }, { watching: 'Carol is watching' }],
])('says that a session is %s', (_, state, said) => {
  expect(presence({ ...nobody, ...state })).toMatchObject(said);
});

it('does not list many names', () => {
  expect(names(['A', 'B', 'C'])).toBe('A and 2 others');
});
