import { useQuery } from '@tanstack/react-query';
import { Navigate, Outlet, useLocation } from 'react-router';
import { MeContext } from '../api/me';
import { meQuery } from '../api/queries';
import { FirstPassword } from './account/first-password';
import { PageLoading, ProblemNotice } from '../components/states';

/** Lets only the signed-in through; others sign in first and come back to where they were. */
export function RequireUser() {
  const { data, error, refetch } = useQuery(meQuery);
  const location = useLocation();
  if (data) {
    return <MeContext value={data}>{data.must_change_password ? <FirstPassword /> : <Outlet />}</MeContext>;
  }
  if (data === null) {
    const next = location.pathname + location.search;
    const to = next === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`;
    return <Navigate to={to} replace />;
  }
  if (error) {
    return (
      <main style={{ maxWidth: 560, margin: '18vh auto 0', padding: 24 }}>
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      </main>
    );
  }
  return <PageLoading />;
}
