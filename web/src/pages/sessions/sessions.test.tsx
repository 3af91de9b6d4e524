import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, it, vi } from 'vitest';
import type { Session } from '../../api/client';
import { MeContext } from '../../api/me';
import { answer, renderRoutes } from '../../testing/app';
import { SessionsPage } from './sessions';

afterEach(() => vi.unstubAllGlobals());

const session = (id: string, user: string, rest: Partial<Session> = {}): Session => ({
  id,
  state: 'active',
  user: { id: user, name: user },
  target: { id: 't', name: `Desk of ${user}`, protocol: 'vnc' },
  started_at: new Date().toISOString(),
  viewers: [],
  ...rest,
});

async function open(permissions: string[], mine: Partial<Session> = {}) {
  const me = { id: 'me', username: 'me', permissions };
  const asked = answer({
    'GET /me': () => [200, me],
    'GET /sessions': () => [200, { sessions: [session('A', 'alice'), session('B', 'me', mine)] }],
    'POST /sessions/A/terminate': () => [204],
    'POST /sessions/B/answer': () => [200, { sent: true }],
  });
  const { router } = renderRoutes(
    [
      { path: '/', element: null },
      {
        path: '/sessions',
        element: (
          <MeContext value={me}>
            <SessionsPage />
          </MeContext>
        ),
      },
    ],
    '/',
  );
  await router.navigate('/sessions');
  const table = await screen.findByRole('table', { name: 'Running sessions' });
  const row = (name: string) => within(table).getByText(`Desk of ${name}`).closest('tr') as HTMLElement;
  return { asked, row };
}

it('lets a supervisor watch and, after asking, terminate', async () => {
  const { asked, row } = await open(['view_live', 'terminate']);
  expect(within(row('alice')).getByRole('link', { name: 'Watch' }).getAttribute('href')).toBe(
    '/sessions/A?role=view',
  );
  await userEvent.click(within(row('alice')).getByRole('button', { name: 'Terminate' }));
  const dialog = await screen.findByRole('dialog');
  expect(dialog.textContent).toContain('alice loses the desktop “Desk of alice”');
  expect(asked).not.toContain('POST /sessions/A/terminate');
  await userEvent.click(within(dialog).getByRole('button', { name: 'Terminate' }));
  await waitFor(() => expect(asked).toContain('POST /sessions/A/terminate'));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
});

it('offers others’ sessions nothing to people without the permission, and their own always', async () => {
  const { row } = await open([]);
  expect(within(row('alice')).queryAllByRole('link')).toHaveLength(0);
  expect(within(row('alice')).queryAllByRole('button')).toHaveLength(0);
  expect(within(row('me')).getByRole('link', { name: 'Return' })).toBeTruthy();
  expect(within(row('me')).getByRole('button', { name: 'Terminate' })).toBeTruthy();
});

it('takes a reason from who is asked elsewhere', async () => {
  const question = {
    id: 'q',
    person: { id: 'me', name: 'me' },
    rules: [{ id: 'r', name: 'Folders removed', about: 'Whole folders at once.' }],
    source: 'typed',
    held: true,
    since: new Date().toISOString(),
  };
  const { asked, row } = await open(['view_live'], { state: 'frozen', question });
  expect(within(row('alice')).queryByRole('button', { name: 'Give a reason' })).toBeNull();
  await userEvent.click(within(row('me')).getByRole('button', { name: 'Give a reason' }));
  const dialog = await screen.findByRole('dialog');
  expect(dialog.textContent).toContain('Whole folders at once.');
  const send = within(dialog).getByRole('button', { name: 'Do it' });
  expect(send.hasAttribute('disabled')).toBe(true);
  await userEvent.type(within(dialog).getByLabelText(/Reason/), 'Ticket 7');
  await userEvent.click(send);
  await waitFor(() => expect(asked).toContain('POST /sessions/B/answer'));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
});
