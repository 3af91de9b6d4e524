import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { createMemoryRouter, RouterProvider, type RouteObject } from 'react-router';
import { vi } from 'vitest';
import { theme } from '../theme/theme';

type Answers = Record<string, () => [status: number, body?: unknown]>;

/** Answers the console's requests, named "GET /me", from a table; anything else fails the test. */
export function answer(answers: Answers): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (request: Request) => {
    const name = `${request.method} ${new URL(request.url).pathname.replace('/api/v1', '')}`;
    asked.push(name);
    const make = answers[name];
    if (!make) return Promise.reject(new Error(`the test has no answer to ${name}`));
    const [status, body] = make();
    return Promise.resolve(new Response(body === undefined ? null : JSON.stringify(body), { status }));
  });
  return asked;
}

/** Renders routes as the console does, without its transitions. */
export function renderRoutes(routes: RouteObject[], at: string) {
  const router = createMemoryRouter(routes, { initialEntries: [at] });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <MantineProvider theme={theme} env="test">
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { router, client };
}
