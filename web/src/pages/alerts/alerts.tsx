import { Button, Checkbox, SegmentedControl, Select, Skeleton } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconBellCheck, IconCheck, IconEye, IconPlayerPlay } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import {
  alertsQuery,
  labelOf,
  recordedMomentOf,
  ruleActions,
  severities,
  sources,
  type Alert,
  type AlertFilter,
} from '../../api/detection';
import { useCan, useMe } from '../../api/me';
import { Badge } from '../../components/badge';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { fullTime, timeOfDay, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { options } from '../wall/filter';
import { AcknowledgeDialog } from './acknowledge-dialog';
import classes from './alerts.module.css';
import { SeverityBadge } from './severity';

const states = [
  { value: 'new', label: 'New' },
  { value: 'acknowledged', label: 'Acknowledged' },
  { value: 'all', label: 'All' },
];

const fields = ['q', 'severity', 'rule', 'user', 'target', 'session'] as const;

/** What the address says to filter by. */
function filterOf(params: URLSearchParams): AlertFilter {
  const filter: Record<string, string> = {};
  for (const field of fields) {
    const value = params.get(field)?.trim();
    if (value) filter[field] = value;
  }
  const state = params.get('state') ?? 'new';
  if (state !== 'all') filter.state = state;
  return filter;
}

/** What rules found in sessions, and who saw to it. */
export function AlertsPage() {
  useTitle('Alerts');
  const [params, setParams] = useSearchParams();
  const [settled] = useDebouncedValue(params.toString(), 250);
  const filter = useMemo(() => filterOf(new URLSearchParams(settled)), [settled]);
  const query = useInfiniteQuery(alertsQuery(filter));
  const alerts = query.data?.pages.flatMap((p) => p.alerts) ?? [];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [acknowledging, setAcknowledging] = useState<string[]>([]);

  const filtered = fields.some((f) => params.get(f));
  const mine = alerts.filter((a) => a.may_acknowledge);
  const picked = mine.filter((a) => chosen.has(a.id)).map((a) => a.id);
  const set = (field: string, value: string) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(field, value);
        else next.delete(field);
        return next;
      },
      { replace: true },
    );
  const select = (
    field: (typeof fields)[number],
    label: string,
    data: { value: string; label: string }[],
  ) => (
    <Select
      aria-label={label}
      placeholder={label}
      data={data}
      value={params.get(field)}
      onChange={(value) => set(field, value ?? '')}
      clearable
      searchable={data.length > 8}
      w={170}
    />
  );

  return (
    <>
      <PageHead title="Alerts" sub="What rules of detection found in sessions, while it happened.">
        <Search label="User, target or address" value={params.get('q') ?? ''} onChange={(q) => set('q', q)} />
      </PageHead>
      <div className={classes.filters} role="search" aria-label="Filter alerts">
        <SegmentedControl
          aria-label="State"
          data={states}
          value={params.get('state') ?? 'new'}
          onChange={(value) => set('state', value === 'new' ? '' : value)}
        />
        {select(
          'severity',
          'Any severity',
          severities.slice(0, -1).map((s, i) => ({ ...s, label: i === 0 ? s.label : `${s.label} or worse` })),
        )}
        {select(
          'rule',
          'Any rule',
          options([...chosenOf(params, 'rule'), ...alerts.map((a): Pair => [a.rule, a.name])]),
        )}
        {select(
          'user',
          'Any user',
          options([...chosenOf(params, 'user'), ...alerts.map((a): Pair => [a.user.id, a.user.name])]),
        )}
        {select(
          'target',
          'Any target',
          options([...chosenOf(params, 'target'), ...alerts.map((a): Pair => [a.target.id, a.target.name])]),
        )}
        {(filtered || params.get('session')) && (
          <Button variant="subtle" color="gray" onClick={() => setParams({}, { replace: true })}>
            {params.get('session') ? 'Alerts of all sessions' : 'Clear'}
          </Button>
        )}
        <span className={classes.spring} />
        {picked.length > 0 && (
          <Button leftSection={<IconCheck size={16} />} onClick={() => setAcknowledging(picked)}>
            Acknowledge {picked.length}
          </Button>
        )}
      </div>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && alerts.length === 0 && !query.hasNextPage && (
        <Empty
          icon={<IconBellCheck size={38} stroke={1.3} />}
          title={filtered ? 'No alert matches' : filter.state === 'new' ? 'Nothing new' : 'No alerts'}
        >
          {filtered
            ? null
            : filter.state === 'new'
              ? 'Alerts appear here the moment a rule fits what happens in a session.'
              : 'No rule has found anything yet.'}
        </Empty>
      )}
      {alerts.length > 0 && (
        <div className={page.card}>
          <div className={page.scroll}>
            <table className={page.table} aria-label="Alerts">
              <thead>
                <tr>
                  {mine.length > 0 && (
                    <th className={classes.tick}>
                      <Checkbox
                        aria-label="Choose all that can be acknowledged"
                        checked={picked.length === mine.length}
                        indeterminate={picked.length > 0 && picked.length < mine.length}
                        onChange={(event) =>
                          setChosen(new Set(event.currentTarget.checked ? mine.map((a) => a.id) : []))
                        }
                      />
                    </th>
                  )}
                  <th>Severity</th>
                  <th>What</th>
                  <th>Session</th>
                  <th>When</th>
                  <th>State</th>
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {alerts.map((a) => (
                  <AlertRow
                    key={a.id}
                    alert={a}
                    choosing={mine.length > 0}
                    chosen={chosen.has(a.id)}
                    onChoose={(on) =>
                      setChosen((before) => {
                        const next = new Set(before);
                        if (on) next.add(a.id);
                        else next.delete(a.id);
                        return next;
                      })
                    }
                    onAcknowledge={() => setAcknowledging([a.id])}
                  />
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
      {query.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          Older alerts
        </Button>
      )}
      {acknowledging.length > 0 && (
        <AcknowledgeDialog
          alerts={acknowledging}
          onClose={() => setAcknowledging([])}
          onDone={() => {
            setAcknowledging([]);
            setChosen(new Set());
          }}
        />
      )}
    </>
  );
}

/** What was said to a rule that asks why, in words. */
function answerOf({ kind, by, reason }: NonNullable<Alert['answer']>): string {
  switch (kind) {
    case 'given':
      return `Reason, by ${by}: ${reason}`;
    case 'refused':
      return `${by} did not go on`;
    case 'expired':
      return 'Nobody gave a reason in time';
    case 'withdrawn':
      return by ? `No reason needed any more: ${by} stepped in` : 'No reason needed any more';
  }
}

type Pair = [value: string, label: string];

/** What is chosen stays on offer, also when no alert of it is shown; a shown one gives it its name. */
function chosenOf(params: URLSearchParams, field: string): Pair[] {
  const value = params.get(field);
  return value ? [[value, value]] : [];
}

interface AlertRowProps {
  alert: Alert;
  choosing: boolean;
  chosen: boolean;
  onChoose: (on: boolean) => void;
  onAcknowledge: () => void;
}

function AlertRow({ alert: a, choosing, chosen, onChoose, onAcknowledge }: AlertRowProps) {
  const me = useMe();
  const can = useCan();
  const fresh = a.state === 'new';
  return (
    <tr data-alert={a.id} data-state={a.state}>
      {choosing && (
        <td className={classes.tick}>
          {a.may_acknowledge && (
            <Checkbox
              aria-label={`Choose ${a.name} of ${a.user.name}`}
              checked={chosen}
              onChange={(event) => onChoose(event.currentTarget.checked)}
            />
          )}
        </td>
      )}
      <td>
        <SeverityBadge severity={a.severity} fresh={fresh} />
      </td>
      <td className={classes.what}>
        <div className={page.strong}>
          {can('read_rules') ? (
            <Link to={`/rules/${a.rule}`} className={page.link}>
              {a.name}
            </Link>
          ) : (
            a.name
          )}
          {a.count > 1 && (
            <span className={classes.count} title={`Found ${a.count} times`}>
              ×{a.count.toLocaleString()}
            </span>
          )}
        </div>
        {a.excerpt && <code className={classes.excerpt}>{a.excerpt}</code>}
        <div className={page.small}>
          {labelOf(sources, a.source)}
          {a.action !== 'alert' && ` · ${labelOf(ruleActions, a.action)}`}
          {a.person && a.person !== a.user.name && ` · by ${a.person}`}
        </div>
        {a.answer && <div className={page.small}>{answerOf(a.answer)}</div>}
      </td>
      <td>
        <div className={page.strong}>{a.user.name}</div>
        <div className={page.small}>
          {a.target.name}
          {a.account && ` as ${a.account}`}
        </div>
      </td>
      <td className={page.nowrap}>
        <span title={fullTime(a.last_at)}>{when(a.last_at)}</span>
        {a.count > 1 && (
          <div className={page.small} title={fullTime(a.first_at)}>
            since {timeOfDay(a.first_at)}
          </div>
        )}
      </td>
      <td className={classes.state}>
        {a.acknowledged ? (
          <>
            <Badge tone="good" label="Acknowledged" title={fullTime(a.acknowledged.at)} />
            <div className={page.small}>
              {a.acknowledged.by}
              {a.acknowledged.note && `: ${a.acknowledged.note}`}
            </div>
          </>
        ) : (
          <Badge tone="warn" label="New" />
        )}
      </td>
      <td>
        <div className={page.actions}>
          {a.running && (a.user.id === me.id || can('view_live')) && (
            <Button
              component={Link}
              to={`/sessions/${a.session}${a.user.id === me.id ? '' : '?role=view'}`}
              size="xs"
              variant="light"
              leftSection={<IconEye size={14} />}
            >
              Live
            </Button>
          )}
          {can('replay') && (
            <Button
              component={Link}
              to={recordedMomentOf(a)}
              size="xs"
              variant="light"
              leftSection={<IconPlayerPlay size={14} />}
            >
              Moment
            </Button>
          )}
          {a.may_acknowledge && (
            <Button size="xs" variant="default" onClick={onAcknowledge}>
              Acknowledge
            </Button>
          )}
        </div>
      </td>
    </tr>
  );
}
