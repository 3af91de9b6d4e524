import { useQuery } from '@tanstack/react-query';
import { Navigate, useParams } from 'react-router';
import { alertQuery, momentOf } from '../../api/detection';
import { useCan, useMe } from '../../api/me';
import { PageLoading, ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';

/** Leads to the session of an alert while it runs, and to the moment in the recording afterwards. */
export function OpenAlertPage() {
  useTitle('Alert');
  const { alert: id = '' } = useParams();
  const me = useMe();
  const can = useCan();
  const { data, error, refetch } = useQuery(alertQuery(id));
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <PageLoading />;
  return <Navigate to={momentOf(data, can, me.id) ?? `/alerts?session=${data.session}&state=all`} replace />;
}
