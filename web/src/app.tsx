import { MantineProvider } from '@mantine/core';
import { QueryCache, MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, Navigate, RouterProvider, type RouteObject } from 'react-router';
import { keys } from './api/queries';
import { isUnauthorized, ProblemError } from './api/problem';
import { Shell } from './components/shell';
import { PageLoading } from './components/states';
import { NotFound, RouteError } from './pages/not-found';
import { RequireUser } from './pages/require-user';
import { SignIn } from './pages/sign-in/sign-in';
import { theme } from './theme/theme';

/** Every 401 means the same: the sign-in has expired. RequireUser then leads to the sign-in page and back. */
function onError(error: unknown): void {
  if (isUnauthorized(error)) queryClient.setQueryData(keys.me, null);
}

const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // What the gateway refused it will refuse again; only a broken connection is worth another try.
      retry: (failures, error) => failures < 2 && !(error instanceof ProblemError && error.status < 500),
    },
  },
});

export const routes: RouteObject[] = [
  { path: '/sign-in', element: <SignIn />, errorElement: <RouteError /> },
  {
    element: <RequireUser />,
    errorElement: <RouteError />,
    hydrateFallbackElement: <PageLoading />,
    children: [
      {
        path: '/sessions/:session',
        lazy: async () => ({ Component: (await import('./pages/desktop/desktop')).DesktopPage }),
      },
      {
        element: <Shell />,
        children: [
          { path: '/', element: <Navigate to="/targets" replace /> },
          {
            path: '/targets',
            lazy: async () => ({ Component: (await import('./pages/targets/targets')).TargetsPage }),
          },
          {
            path: '/sessions',
            lazy: async () => ({ Component: (await import('./pages/sessions/sessions')).SessionsPage }),
          },
          {
            path: '/recordings',
            lazy: async () => ({ Component: (await import('./pages/recordings/recordings')).RecordingsPage }),
          },
          {
            path: '/recordings/:session',
            lazy: async () => ({ Component: (await import('./pages/player/player')).PlayerPage }),
          },
          { path: '*', element: <NotFound /> },
        ],
      },
    ],
  },
];

const router = createBrowserRouter(routes);

export function App() {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      // Both would write an inline <style>; the variables come from a style sheet made at build time.
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
