import { MantineProvider } from '@mantine/core';
import { QueryCache, MutationCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, Navigate, RouterProvider, type RouteObject } from 'react-router';
import { keys } from './api/queries';
import { isUnauthorized, ProblemError } from './api/problem';
import { Shell } from './components/shell';
import { PageLoading } from './components/states';
import { NotFound, RouteError } from './pages/not-found';
import { RequireUser } from './pages/require-user';
import { SetupPage, WhenSetUp } from './pages/setup/setup';
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
  {
    path: '/sign-in',
    element: (
      <WhenSetUp>
        <SignIn />
      </WhenSetUp>
    ),
    errorElement: <RouteError />,
  },
  { path: '/setup', element: <SetupPage />, errorElement: <RouteError /> },
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
            path: '/targets/new',
            lazy: async () => ({ Component: (await import('./pages/targets/edit/edit')).NewTargetPage }),
          },
          {
            path: '/targets/:target',
            lazy: async () => ({ Component: (await import('./pages/targets/edit/edit')).TargetPage }),
          },
          {
            path: '/sessions',
            lazy: async () => ({ Component: (await import('./pages/sessions/sessions')).SessionsPage }),
          },
          {
            path: '/wall',
            lazy: async () => ({ Component: (await import('./pages/wall/wall')).WallPage }),
          },
          {
            path: '/recordings',
            lazy: async () => ({ Component: (await import('./pages/recordings/recordings')).RecordingsPage }),
          },
          {
            path: '/recordings/search',
            lazy: async () => ({ Component: (await import('./pages/recordings/search')).SearchPage }),
          },
          {
            path: '/recordings/:session',
            lazy: async () => ({ Component: (await import('./pages/player/player')).PlayerPage }),
          },
          {
            path: '/access/:request?',
            lazy: async () => ({ Component: (await import('./pages/access/access')).AccessPage }),
          },
          {
            path: '/requests/:request?',
            lazy: async () => ({ Component: (await import('./pages/requests/requests')).RequestsPage }),
          },
          {
            path: '/policies',
            lazy: async () => ({ Component: (await import('./pages/policies/policies')).PoliciesPage }),
          },
          {
            path: '/policies/new',
            lazy: async () => ({ Component: (await import('./pages/policies/policy')).NewPolicyPage }),
          },
          {
            path: '/policies/explain',
            lazy: async () => ({ Component: (await import('./pages/policies/explain')).ExplainPage }),
          },
          {
            path: '/policies/:policy',
            lazy: async () => ({ Component: (await import('./pages/policies/policy')).PolicyPage }),
          },
          {
            path: '/alerts',
            lazy: async () => ({ Component: (await import('./pages/alerts/alerts')).AlertsPage }),
          },
          {
            path: '/alerts/:alert/open',
            lazy: async () => ({ Component: (await import('./pages/alerts/open')).OpenAlertPage }),
          },
          {
            path: '/rules',
            lazy: async () => ({ Component: (await import('./pages/rules/rules')).RulesPage }),
          },
          {
            path: '/rules/new',
            lazy: async () => ({ Component: (await import('./pages/rules/rule')).NewRulePage }),
          },
          {
            path: '/rules/:rule',
            lazy: async () => ({ Component: (await import('./pages/rules/rule')).RulePage }),
          },
          {
            path: '/audit',
            lazy: async () => ({ Component: (await import('./pages/audit/audit')).AuditPage }),
          },
          {
            path: '/system',
            lazy: async () => ({ Component: (await import('./pages/system/system')).SystemPage }),
          },
          {
            path: '/access-report',
            lazy: async () => ({ Component: (await import('./pages/audit/access-report')).AccessReportPage }),
          },
          {
            path: '/native-sign-in',
            lazy: async () => ({
              Component: (await import('./pages/native-sign-in/native-sign-in')).NativeSignInPage,
            }),
          },
          {
            path: '/account',
            lazy: async () => ({ Component: (await import('./pages/account/account')).AccountPage }),
          },
          {
            path: '/users',
            lazy: async () => ({ Component: (await import('./pages/users/users')).UsersPage }),
          },
          {
            path: '/users/:user',
            lazy: async () => ({ Component: (await import('./pages/users/user')).UserPage }),
          },
          {
            path: '/groups',
            lazy: async () => ({ Component: (await import('./pages/groups/groups')).GroupsPage }),
          },
          {
            path: '/groups/:group',
            lazy: async () => ({ Component: (await import('./pages/groups/group')).GroupPage }),
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
