import { Button, Skeleton, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconDownload, IconReportSearch } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { accessCSV, accessQuery, type Access, type AccessFilter } from '../../api/audit';
import { Badge } from '../../components/badge';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { duration, fullTime, when } from '../../lib/format';
import { endedOnPurpose } from '../../lib/ends';
import { useTitle } from '../../lib/use-title';
import classes from './audit.module.css';

const fields = ['q', 'user', 'target', 'tag', 'account', 'from', 'until'] as const;
type Field = (typeof fields)[number];

function filterOf(params: URLSearchParams): AccessFilter {
  const filter: Partial<Record<Field, string>> = {};
  for (const field of fields) {
    const value = params.get(field)?.trim();
    if (!value) continue;
    if (field !== 'from' && field !== 'until') filter[field] = value;
    else if (!Number.isNaN(new Date(value).getTime())) filter[field] = new Date(value).toISOString();
  }
  return filter;
}

/** Who accessed what, when and for how long. */
export function AccessReportPage() {
  useTitle('Access report');
  const [params, setParams] = useSearchParams();
  const [settled] = useDebouncedValue(params.toString(), 300);
  const filter = useMemo(() => filterOf(new URLSearchParams(settled)), [settled]);
  const query = useInfiniteQuery(accessQuery(filter));
  const rows = query.data?.pages.flatMap((p) => p.access) ?? [];
  const filtered = fields.some((f) => params.get(f));

  const set = (field: Field, value: string) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(field, value);
        else next.delete(field);
        return next;
      },
      { replace: true },
    );
  const input = (field: Field, label: string, width: number, type = 'text') => (
    <TextInput
      label={label}
      type={type}
      w={width}
      maxLength={256}
      value={params.get(field) ?? ''}
      onChange={(event) => set(field, event.currentTarget.value)}
    />
  );

  return (
    <>
      <PageHead title="Access report" sub="Who accessed what, when and for how long.">
        <Search
          label="Search names and addresses"
          value={params.get('q') ?? ''}
          onChange={(q) => set('q', q)}
        />
        <Button
          component="a"
          variant="default"
          href={accessCSV(filter)}
          download="vitrine-access.csv"
          leftSection={<IconDownload size={16} stroke={1.6} />}
        >
          Export as CSV
        </Button>
      </PageHead>
      <form
        className={classes.filters}
        role="search"
        aria-label="Filter the report"
        onSubmit={(event) => event.preventDefault()}
      >
        {input('user', 'User', 150)}
        {input('target', 'Target id', 150)}
        {input('tag', 'Tag', 120)}
        {input('account', 'Account', 140)}
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
      {query.data && rows.length === 0 && (
        <Empty
          icon={<IconReportSearch size={38} stroke={1.3} />}
          title={filtered ? 'Nothing matches' : 'Nobody has accessed anything yet'}
        />
      )}
      {rows.length > 0 && (
        <div className={page.card}>
          <div className={page.scroll}>
            <table className={page.table} aria-label="Access report">
              <thead>
                <tr>
                  <th>User</th>
                  <th>Target</th>
                  <th>Account</th>
                  <th>From</th>
                  <th>Started</th>
                  <th>For</th>
                  <th>End</th>
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {rows.map((a) => (
                  <Row key={a.session} access={a} />
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
          Earlier sessions
        </Button>
      )}
    </>
  );
}

function Row({ access: a }: { access: Access }) {
  return (
    <tr>
      <td className={page.strong}>{a.user.name}</td>
      <td>
        {a.target.name}
        <div className={page.small}>{a.target.address}</div>
      </td>
      <td>{a.account ?? <span className={page.dim}>–</span>}</td>
      <td className={page.dim}>{a.source}</td>
      <td className={page.nowrap} title={fullTime(a.started_at)}>
        {when(a.started_at)}
      </td>
      <td className={`${page.nowrap ?? ''} tabular`}>{duration(a.duration_ms)}</td>
      <td>
        {!a.end ? (
          <Badge tone="good" pulse label="Running" />
        ) : endedOnPurpose(a.end.code) ? (
          <Badge tone="quiet" label="Ended" title={a.end.message} />
        ) : (
          <Badge tone="bad" label="Ended with an error" title={a.end.message} />
        )}
      </td>
      <td>
        <div className={page.actions}>
          <Button component={Link} to={`/audit?session=${a.session}`} size="xs" variant="subtle">
            Entries
          </Button>
          <Button component={Link} to={`/recordings/${a.session}`} size="xs" variant="light">
            Play
          </Button>
        </div>
      </td>
    </tr>
  );
}
