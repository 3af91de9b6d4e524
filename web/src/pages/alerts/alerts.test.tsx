import { configure, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, it, vi } from 'vitest';
import type { Alert } from '../../api/detection';
import { MeContext } from '../../api/me';
import { answer, renderRoutes } from '../../testing/app';
import { AlertsPage } from './alerts';
import { OpenAlertPage } from './open';

// Nothing here is about time, and jsdom is slow at roles in a page of this size.
configure({ asyncUtilTimeout: 20_000 });
vi.setConfig({ testTimeout: 60_000 });
afterEach(() => vi.unstubAllGlobals());

const alert = (id: string, rest: Partial<Alert> = {}): Alert => ({
  id,
  session: `s-${id}`,
  running: false,
  user: { id: 'alice', name: 'alice' },
  target: { id: 't', name: 'Desk' },
  rule: 'linux-logs',
  name: 'Logs removed',
  severity: 'high',
  action: 'alert',
  source: 'typed',
  excerpt: 'rm -rf /var/log',
  count: 1,
  first_at: '2026-03-02T10:00:00Z',
  last_at: '2026-03-02T10:05:00Z',
  first_ms: 61_500,
  last_ms: 90_000,
  state: 'new',
  may_acknowledge: true,
  ...rest,
});

function open(
  list: Alert[],
  { path = '/alerts', can = ['read_alerts', 'view_live', 'replay'], status = 200 } = {},
) {
  const me = { id: 'me', username: 'me', permissions: can };
  const problem = {
    type: 'about:blank',
    title: 'x',
    status,
    code: 'internal',
    detail: 'The gateway failed.',
  };
  const asked = answer({
    'GET /alerts': () => [status, status === 200 ? { alerts: list } : problem],
    'POST /alerts/acknowledge': () => [200, { acknowledged: 2 }],
    ...Object.fromEntries(list.map((a) => [`GET /alerts/${a.id}`, () => [200, a] as [number, unknown]])),
  });
  const page = (element: React.ReactNode) => <MeContext value={me}>{element}</MeContext>;
  const { router } = renderRoutes(
    [
      { path: '/alerts', element: page(<AlertsPage />) },
      { path: '/alerts/:alert/open', element: page(<OpenAlertPage />) },
      { path: '/sessions/:session', element: <p>the live view</p> },
      { path: '/recordings/:session', element: <p>the player</p> },
    ],
    path,
  );
  return { asked, router, at: () => router.state.location.pathname + router.state.location.search };
}

it('shows what was found, how often, in whose session, and leads there', async () => {
  open([
    alert('A', {
      running: true,
      count: 12,
      severity: 'critical',
      action: 'freeze',
      answer: { kind: 'given', by: 'alice', reason: 'CHG-7 asks for it' },
    }),
    alert('B', {
      state: 'acknowledged',
      may_acknowledge: false,
      acknowledged: { by: 'sam', at: '2026-03-02T11:00:00Z', note: 'agreed' },
    }),
  ]);
  const [, first, second] = await screen.findAllByRole('row');
  expect(first!.textContent).toContain('Logs removed×12');
  expect(first!.textContent).toContain('rm -rf /var/log');
  expect(first!.textContent).toContain('Critical');
  expect(first!.textContent).toContain('Freeze');
  expect(first!.textContent).toContain('Reason, by alice: CHG-7 asks for it');
  expect(within(first!).getByRole('link', { name: 'Live' }).getAttribute('href')).toBe(
    '/sessions/s-A?role=view',
  );
  expect(within(first!).getByRole('link', { name: 'Moment' }).getAttribute('href')).toBe(
    '/recordings/s-A?t=61.5',
  );
  expect(second!.textContent).toContain('sam: agreed');
  expect(within(second!).queryByRole('button', { name: 'Acknowledge' })).toBeNull();
  expect(within(second!).queryByRole('link', { name: 'Live' })).toBeNull();
  expect(within(second!).queryByRole('checkbox')).toBeNull();
});

it('acknowledges those that are chosen, with a note', async () => {
  const sent: unknown[] = [];
  open([alert('A'), alert('B'), alert('C', { may_acknowledge: false })]);
  const fetched = globalThis.fetch as unknown as (request: Request) => Promise<Response>;
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'POST') sent.push(await request.clone().json());
    return fetched(request);
  });
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Choose all that can be acknowledged' }));
  await userEvent.click(screen.getByRole('button', { name: 'Acknowledge 2' }));
  const dialog = await screen.findByRole('dialog', { name: 'Acknowledge 2 alerts?' });
  await userEvent.type(within(dialog).getByLabelText('Note'), 'agreed');
  await userEvent.click(within(dialog).getByRole('button', { name: 'Acknowledge' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(sent).toEqual([{ alerts: ['A', 'B'], note: 'agreed' }]);
});

it('says so when there is nothing, nothing matches, or nothing can be had', async () => {
  open([]);
  expect(await screen.findByText('Nothing new')).toBeTruthy();
  open([], { path: '/alerts?severity=high' });
  expect(await screen.findByText('No alert matches')).toBeTruthy();
  open([], { status: 403 });
  expect(await screen.findByText('The gateway failed.')).toBeTruthy();
});

it('opens the live view while the session runs, the moment afterwards, and else the list', async () => {
  const live = open([alert('A', { running: true })], { path: '/alerts/A/open' });
  await waitFor(() => expect(live.at()).toBe('/sessions/s-A?role=view'));
  const over = open([alert('A')], { path: '/alerts/A/open' });
  await waitFor(() => expect(over.at()).toBe('/recordings/s-A?t=61.5'));
  const neither = open([alert('A')], { path: '/alerts/A/open', can: ['read_alerts', 'view_live'] });
  await waitFor(() => expect(neither.at()).toBe('/alerts?session=s-A&state=all'));
});
