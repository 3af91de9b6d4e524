import { Button, Skeleton, Switch } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconGavel, IconHelpCircle, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { policiesQuery, useUpdatePolicy, type Policy } from '../../api/policies';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { count, fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import own from './policies.module.css';
import { permitsAndForbids } from './text';

/** The policies, each with a switch. */
export function PoliciesPage() {
  useTitle('Policies');
  const { data, error, isPending, refetch } = useQuery(policiesQuery);
  const [search, setSearch] = useState('');
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = data?.filter((p) => {
    const text = `${p.name} ${p.id} ${p.text}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return (
    <>
      <PageHead
        title="Policies"
        sub="Who may do what. Nothing is allowed that no policy permits; a forbid wins."
      >
        <Search label="Search policies" value={search} onChange={setSearch} />
        <Button
          component={Link}
          to="/policies/explain"
          variant="default"
          leftSection={<IconHelpCircle size={16} stroke={1.6} />}
        >
          Explain a decision
        </Button>
        <Button component={Link} to="/policies/new" leftSection={<IconPlus size={16} />}>
          New policy
        </Button>
      </PageHead>
      {error && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={260} radius="md" aria-hidden="true" />}
      {shown &&
        (shown.length > 0 ? (
          <PolicyTable policies={shown} />
        ) : (
          <Empty
            icon={<IconGavel size={36} stroke={1.3} />}
            title={search ? 'No policy matches' : 'There is no policy'}
          >
            {search ? null : 'Without one nobody may do anything.'}
          </Empty>
        ))}
    </>
  );
}

function PolicyTable({ policies }: { policies: Policy[] }) {
  const update = useUpdatePolicy();
  return (
    <>
      {update.error && (
        <div className={own.gap}>
          <ProblemNotice error={update.error} />
        </div>
      )}
      <div className={classes.card}>
        <div className={classes.scroll}>
          <table className={classes.table} aria-label="Policies">
            <thead>
              <tr>
                <th>In force</th>
                <th>Policy</th>
                <th>Statements</th>
                <th>Last written</th>
              </tr>
            </thead>
            <tbody>
              {policies.map((p) => {
                const { permits, forbids } = permitsAndForbids(p.text);
                return (
                  <tr key={p.id} data-policy={p.id}>
                    <td className={own.switch}>
                      <Switch
                        checked={p.enabled}
                        disabled={update.isPending}
                        aria-label={`${p.name}: in force`}
                        onChange={(event) =>
                          update.mutate({
                            id: p.id,
                            revision: p.revision,
                            enabled: event.currentTarget.checked,
                          })
                        }
                      />
                    </td>
                    <td>
                      <Link to={`/policies/${p.id}`} className={classes.link}>
                        {p.name}
                      </Link>
                      <div className={`${classes.small ?? ''} mono`}>{p.id}</div>
                    </td>
                    <td className={classes.dim}>
                      {[
                        permits > 0 ? count(permits, 'permit') : '',
                        forbids > 0 ? count(forbids, 'forbid') : '',
                      ]
                        .filter(Boolean)
                        .join(', ')}
                    </td>
                    <td className={classes.nowrap} title={fullTime(p.updated_at)}>
                      {when(p.updated_at)} <span className={classes.dim}>by {p.updated_by}</span>
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      </div>
    </>
  );
}
