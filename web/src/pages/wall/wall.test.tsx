import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Session } from '../../api/client';
import { MeContext } from '../../api/me';
import { answer, renderRoutes } from '../../testing/app';
import { WallPage } from './wall';

vi.mock('../desktop/desktop', () => ({ DesktopPage: () => null }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] }); // for how long somebody is there is to the second
  let made = 0;
  URL.createObjectURL = () => `blob:${++made}`;
  URL.revokeObjectURL = () => undefined;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const session = (id: string, user: string, rest: Partial<Session> = {}): Session => ({
  id,
  state: 'active',
  user: { id: user, name: user },
  target: { id: `t${id}`, name: `Desk of ${user}`, protocol: 'vnc' },
  started_at: new Date(Date.now() - 65_000).toISOString(),
  viewers: [],
  ...rest,
});

function open(sessions: Session[], path = '/wall') {
  const me = { id: 'me', username: 'me', permissions: ['view_live'] };
  const asked = answer({
    'GET /sessions': () => [200, { sessions }],
    ...Object.fromEntries(
      sessions.map((s) => [
        `GET /sessions/${s.id}/thumbnail`,
        () =>
          s.id === 'B'
            ? ([404, { code: 'no_thumbnail', title: 'x', status: 404, type: 'about:blank' }] as [
                number,
                unknown,
              ])
            : ([200, 'jpeg'] as [number, unknown]),
      ]),
    ),
  });
  const { router } = renderRoutes(
    [
      {
        path: '/wall',
        element: (
          <MeContext value={me}>
            <WallPage />
          </MeContext>
        ),
      },
      { path: '/sessions/:session', element: <p>the live view</p> },
    ],
    path,
  );
  return { asked, router };
}

it('shows who is where, for how long, how risky, with pictures where there are any', async () => {
  open([
    session('A', 'alice', {
      risk: { score: 75, level: 'critical', reasons: ['begun on broken glass'] },
      account: { id: 'a', name: 'root' },
      viewers: [{ id: 'v', person: { id: 'sam', name: 'sam' }, role: 'view' }],
    }),
    session('B', 'bob'),
  ]);
  const cards = await screen.findAllByRole('link');
  expect(cards.map((c) => c.dataset.card)).toEqual(['A', 'B']);
  const first = cards[0]!;
  expect(first.textContent).toContain('1:05');
  expect(first.textContent).toContain('Desk of alice as root');
  expect(first.textContent).toContain('critical 75');
  expect(first.textContent).toContain('1 watcher');
  expect(screen.getByTitle('begun on broken glass')).toBeTruthy();
  await waitFor(() => expect(first.querySelector('img')?.src).toContain('blob:'));
  await waitFor(() => expect(cards[1]?.textContent).toContain('No picture yet'));
  expect(screen.getByText('2 running sessions, 1 of high risk')).toBeTruthy();
});

it('goes from card to card by the arrow keys, and Enter opens the live view', async () => {
  const { router } = open([session('A', 'alice'), session('B', 'me')]);
  const cards = await screen.findAllByRole('link');
  cards[0]!.focus(); // the newest: B
  await userEvent.keyboard('{ArrowRight}');
  expect(document.activeElement).toBe(cards[1]);
  await userEvent.keyboard('{Home}{ArrowLeft}');
  expect(document.activeElement).toBe(cards[0]);
  await userEvent.keyboard('{End}{Enter}');
  expect(await screen.findByText('the live view')).toBeTruthy();
  expect(router.state.location.pathname + router.state.location.search).toBe('/sessions/A?role=view');
});

it('says so when nothing runs or nothing matches, and shows all again', async () => {
  open([session('A', 'alice')], '/wall?q=nobody');
  expect(await screen.findByText('No running session matches')).toBeTruthy();
  await userEvent.click(screen.getByRole('button', { name: 'Show all' }));
  expect(
    within(await screen.findByRole('list', { name: 'Running sessions' })).getAllByRole('link'),
  ).toHaveLength(1);
});
