import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { healthQuery, type HealthCheck } from '../../api/system';
import { Badge } from '../../components/badge';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { needLabel, needWhat } from './needs';

const states = {
  ok: { tone: 'good', label: 'In order' },
  warning: { tone: 'warn', label: 'Needs attention' },
  failing: { tone: 'bad', label: 'No session begins' },
} as const;

/** What every session needs before it may begin, and how it is. */
export function SystemPage() {
  useTitle('System');
  const query = useQuery(healthQuery);
  return (
    <>
      <PageHead
        title="System"
        sub="What every session needs. Nothing is unrecorded: while something here fails, no session begins."
      />
      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && (
        <div className={page.card}>
          <div className={page.scroll}>
            <table className={page.table} aria-label="What sessions need">
              <thead>
                <tr>
                  <th>What</th>
                  <th>State</th>
                  <th>Since</th>
                </tr>
              </thead>
              <tbody>
                {query.data.checks.map((check) => (
                  <Row key={check.name} check={check} />
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
    </>
  );
}

function Row({ check }: { check: HealthCheck }) {
  return (
    <tr>
      <td>
        <div className={page.strong}>{needLabel(check.name)}</div>
        <div className={page.dim}>{needWhat(check.name)}</div>
      </td>
      <td>
        <Badge {...states[check.state]} />
        {check.detail && (
          <div className={page.dim} style={{ marginTop: 4, maxWidth: '70ch', overflowWrap: 'anywhere' }}>
            {check.detail}
          </div>
        )}
      </td>
      <td className={page.nowrap} title={fullTime(check.since)}>
        {when(check.since)}
      </td>
    </tr>
  );
}
