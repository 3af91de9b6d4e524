import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { answer, renderRoutes } from '../../testing/app';
import { RequireUser } from '../require-user';
import { nextPath } from './next-path';
import { SignIn } from './sign-in';

afterEach(() => vi.unstubAllGlobals());

const me = { id: 'u', username: 'admin', permissions: [] };
const refused = { type: 'about:blank', status: 401, code: 'unauthenticated', title: 'Sign in first' };
const routes = [
  { path: '/sign-in', element: <SignIn /> },
  { element: <RequireUser />, children: [{ path: '/recordings', element: <p>the recordings</p> }] },
];

describe('signing in', () => {
  it('asks the nameless to sign in and leads back to where they were', async () => {
    let signedIn = false;
    answer({
      'GET /sign-in': () => [200, { providers: [], passkeys: false }],
      'GET /me': () => (signedIn ? [200, me] : [401, refused]),
      'POST /sign-in': () => {
        signedIn = true;
        return [200, me];
      },
    });
    const { router } = renderRoutes(routes, '/recordings?x=1');
    await userEvent.type(await screen.findByLabelText('User name'), 'admin');
    expect(router.state.location.pathname).toBe('/sign-in');
    await userEvent.type(screen.getByLabelText('Password'), 'right');
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    await screen.findByText('the recordings');
    expect(router.state.location.search).toBe('?x=1');
  });

  it('shows why it failed, forgets the password and keeps the name', async () => {
    const problem = {
      type: 'about:blank',
      status: 401,
      code: 'wrong_credentials',
      title: 'Signing in failed',
      detail: 'The user name or the password is wrong.',
    };
    answer({
      'GET /sign-in': () => [200, { providers: [], passkeys: false }],
      'GET /me': () => [401, refused],
      'POST /sign-in': () => [401, problem],
    });
    renderRoutes(routes, '/sign-in');
    await userEvent.type(await screen.findByLabelText('User name'), 'admin');
    await userEvent.type(screen.getByLabelText('Password'), 'wrong');
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The user name or the password is wrong.');
    expect(alert.textContent).toContain('wrong_credentials');
    await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>('Password').value).toBe(''));
    expect(screen.getByLabelText<HTMLInputElement>('User name').value).toBe('admin');
  });
});

it.each([
  [null, '/targets'],
  ['/recordings/1?t=5', '/recordings/1?t=5'],
  ['//evil.example', '/targets'],
  ['/\\evil.example', '/targets'],
  ['https://evil.example', '/targets'],
  ['/sign-in?next=/sign-in', '/targets'],
])('nextPath(%s) is %s', (next, path) => {
  expect(nextPath(next)).toBe(path);
});
