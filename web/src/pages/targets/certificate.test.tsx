import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, it, vi } from 'vitest';
import type { Target } from '../../api/client';
import { MeContext } from '../../api/me';
import { answer, renderRoutes } from '../../testing/app';
import { TargetsPage } from './targets';

afterEach(() => vi.unstubAllGlobals());

const target = (id: string, rest: Partial<Target>): Target => ({
  id,
  name: `Target ${id}`,
  protocol: 'rdp',
  address: `${id}.test:3389`,
  tags: [],
  accounts: [],
  origin: 'config',
  revision: 1,
  ...rest,
});

async function open(permissions: string[], targets: Target[]) {
  const me = { id: 'me', username: 'me', permissions };
  let list = targets;
  const asked = answer({
    'GET /targets': () => [200, { targets: list }],
    'GET /sessions': () => [200, { sessions: [] }],
    'GET /access-grants': () => [200, { grants: [] }],
    'DELETE /targets/win/certificate': () => {
      list = [target('win', { certificate: { trust: 'first_use' } })];
      return [204];
    },
  });
  renderRoutes(
    [
      {
        path: '/',
        element: (
          <MeContext value={me}>
            <TargetsPage />
          </MeContext>
        ),
      },
    ],
    '/',
  );
  await screen.findByText('Target win');
  return asked;
}

const cardOf = (id: string) =>
  screen.getByText(`Target ${id}`).closest<HTMLElement>('article') ?? document.body;

const hex = 'ab12'.repeat(16);

it('shows protocol and certificate, and forgets one after asking', async () => {
  const asked = await open(
    ['connect', 'manage_targets'],
    [
      target('win', {
        certificate: { trust: 'first_use', fingerprint: hex, first_seen: '2026-03-01T10:00:00Z' },
      }),
      target('pinned', { protocol: 'vnc', certificate: { trust: 'pin', fingerprint: hex } }),
    ],
  );
  const card = cardOf('win');
  expect(within(card).getByText('RDP')).toBeTruthy();
  expect(card.textContent).toContain('Certificate trusted on first use, ab:12:ab:12:ab:12…');
  const pinned = cardOf('pinned');
  expect(within(pinned).getByText('VNC')).toBeTruthy();
  expect(within(pinned).queryByRole('button', { name: /Forget/ })).toBeNull();

  await userEvent.click(within(card).getByRole('button', { name: 'Forget the certificate of Target win' }));
  const dialog = await screen.findByRole('dialog');
  expect(dialog.textContent).toContain(hex.match(/../g)?.join(':'));
  expect(asked).not.toContain('DELETE /targets/win/certificate');
  await userEvent.click(within(dialog).getByRole('button', { name: 'Forget' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  await screen.findByText('Trusts the first certificate it sees');
  expect(asked).toContain('DELETE /targets/win/certificate');
});

it('offers nothing to forget without the permission', async () => {
  await open(['connect'], [target('win', { certificate: { trust: 'first_use', fingerprint: hex } })]);
  expect(screen.queryByRole('button', { name: /Forget/ })).toBeNull();
});
