import { Button, Select, Skeleton, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconListSearch } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { entriesQuery, type AuditEntry, type EntryFilter } from '../../api/audit';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { Empty, ProblemNotice } from '../../components/states';
import { fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import classes from './audit.module.css';
import { EntryDrawer } from './entry';
import { actionName, actorName, objectName, OutcomeBadge } from './names';
import { LogState } from './state';

const outcomes = [
  { value: '', label: 'All outcomes' },
  { value: 'success', label: 'Success' },
  { value: 'denied', label: 'Denied' },
  { value: 'failed', label: 'Failed' },
];

const fields = ['actor', 'action', 'outcome', 'object', 'session', 'from', 'until'] as const;

/** What the address says to filter by. */
function filterOf(params: URLSearchParams): EntryFilter {
  const filter: Record<string, string> = {};
  for (const field of fields) {
    const value = params.get(field)?.trim();
    if (!value) continue;
    const time = field === 'from' || field === 'until';
    const at = new Date(value);
    if (time && Number.isNaN(at.getTime())) continue;
    filter[field] = time
      ? at.toISOString()
      : field === 'action'
        ? value.toLowerCase().replaceAll(' ', '_')
        : value;
  }
  return filter;
}

export function AuditPage() {
  useTitle('Audit log');
  const [params, setParams] = useSearchParams();
  const [open, setOpen] = useState<AuditEntry | null>(null);
  const [settled] = useDebouncedValue(params.toString(), 300);
  const filter = useMemo(() => filterOf(new URLSearchParams(settled)), [settled]);
  const query = useInfiniteQuery(entriesQuery(filter));
  const entries = query.data?.pages.flatMap((p) => p.entries) ?? [];
  const filtered = fields.some((f) => params.get(f));

  const input = (field: (typeof fields)[number], label: string, width: number, type = 'text') => (
    <TextInput
      label={label}
      type={type}
      w={width}
      maxLength={256}
      value={params.get(field) ?? ''}
      onChange={(event) => set(field, event.currentTarget.value)}
    />
  );
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

  return (
    <>
      <PageHead
        title="Audit log"
        sub="Who did what, when and from where, and which policies decided. Nothing in it can be changed unnoticed."
      />
      <LogState />
      <form
        className={classes.filters}
        role="search"
        aria-label="Filter entries"
        onSubmit={(event) => event.preventDefault()}
      >
        {input('actor', 'User', 150)}
        {input('action', 'Action', 170)}
        <Select
          label="Outcome"
          data={outcomes}
          value={params.get('outcome') ?? ''}
          onChange={(value) => set('outcome', value ?? '')}
          allowDeselect={false}
          w={140}
        />
        {input('object', 'Object id', 150)}
        {input('session', 'Session', 170)}
        {input('from', 'From', 200, 'datetime-local')}
        {input('until', 'Until', 200, 'datetime-local')}
        {filtered && (
          <Button variant="subtle" color="gray" onClick={() => setParams({}, { replace: true })}>
            Clear
          </Button>
        )}
      </form>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && entries.length === 0 && (
        <Empty icon={<IconListSearch size={38} stroke={1.3} />} title="Nothing matches">
          {filtered ? 'Names and ids are matched as a whole.' : null}
        </Empty>
      )}
      {entries.length > 0 && (
        <div className={page.card}>
          <div className={page.scroll}>
            <table className={page.table} aria-label="Audit log">
              <thead>
                <tr>
                  <th>What</th>
                  <th>Who</th>
                  <th>On</th>
                  <th>From</th>
                  <th>When</th>
                  <th>Outcome</th>
                </tr>
              </thead>
              <tbody>
                {entries.map((e) => (
                  <tr key={e.index} className={classes.row} onClick={() => setOpen(e)}>
                    <td>
                      <button type="button" className={classes.open}>
                        {actionName(e.action)}
                      </button>
                    </td>
                    <td>{actorName(e)}</td>
                    <td className={page.dim}>{objectName(e)}</td>
                    <td className={page.dim}>{e.source}</td>
                    <td className={page.nowrap} title={fullTime(e.time)}>
                      {when(e.time)}
                    </td>
                    <td>
                      <OutcomeBadge outcome={e.outcome} />
                    </td>
                  </tr>
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
          Older entries
        </Button>
      )}
      {open && <EntryDrawer entry={open} onClose={() => setOpen(null)} />}
    </>
  );
}
