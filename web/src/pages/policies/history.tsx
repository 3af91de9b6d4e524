import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { policyVersionsQuery, type Policy } from '../../api/policies';
import { ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import classes from './policies.module.css';

/** The versions of a policy, each of which can be taken into the editor. */
export function History({ id, onTake }: { id: string; onTake: (version: Policy) => void }) {
  const { data, error, refetch } = useQuery(policyVersionsQuery(id));
  if (error) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (!data) return <Skeleton height={120} />;
  return (
    <ul className={classes.versions}>
      {data.map((v, i) => (
        <li key={v.revision}>
          <span>
            <span title={fullTime(v.updated_at)}>{when(v.updated_at)}</span> by {v.updated_by}
            {v.deleted ? ', deleted' : v.enabled ? '' : ', not in force'}
          </span>
          {i === 0 ? (
            <span>now</span>
          ) : (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Take the version of ${fullTime(v.updated_at)} into the editor`}
              onClick={() => onTake(v)}
            >
              Take
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
