import { Button, SegmentedControl, Select, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconLayoutGrid } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, type KeyboardEvent } from 'react';
import { useSearchParams } from 'react-router';
import { useMe } from '../../api/me';
import { runningSessionsQuery } from '../../api/queries';
import { thumbnailEvery } from '../../api/wall';
import { PageHead } from '../../components/page';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { count } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import { useTitle } from '../../lib/use-title';
import { SessionCard } from './card';
import { choose, levels, options, rank, sorts, standings, type Choice, type Sort } from './filter';
import classes from './wall.module.css';

const words = (list: readonly string[]) =>
  list.map((value) => ({ value, label: value.charAt(0).toUpperCase() + value.slice(1) }));

/** All running sessions one may see. What is chosen is in the address, so that a wall can be kept as a bookmark. */
export function WallPage() {
  useTitle('Live wall');
  const me = useMe();
  const [params, setParams] = useSearchParams();
  const running = useQuery(runningSessionsQuery);
  const now = useNow(true);
  useEffect(() => void import('../desktop/desktop'), []); // so that a click opens it at once

  const get = (key: string) => params.get(key) ?? '';
  const set = (key: string, value: string | null) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(key, value);
        else next.delete(key);
        return next;
      },
      { replace: true },
    );
  const sort = sorts.find((s) => s === get('sort')) ?? 'risk';
  const choice: Choice = {
    text: get('q'),
    user: get('user'),
    target: get('target'),
    tag: get('tag'),
    state: get('state'),
    risk: get('risk'),
    sort: sort satisfies Sort,
  };
  const compact = get('density') === 'compact';
  const all = useMemo(() => running.data ?? [], [running.data]);
  const shown = choose(all, choice);
  const narrowed = ['q', 'user', 'target', 'tag', 'state', 'risk'].some(get);
  const risky = all.filter((s) => rank(s) >= 2).length;
  const select = (key: string, label: string, data: { value: string; label: string }[]) => (
    <Select
      aria-label={label}
      placeholder={label}
      data={data}
      value={get(key) || null}
      onChange={(value) => set(key, value)}
      clearable
      searchable={data.length > 8}
      w={150}
    />
  );

  return (
    <>
      <PageHead
        title="Live wall"
        sub={
          running.data
            ? `${count(all.length, 'running session')}${risky > 0 ? `, ${risky} of high risk` : ''}${narrowed ? `, ${shown.length} shown` : ''}`
            : 'All running sessions you may see.'
        }
      >
        <Search label="Search the wall" value={choice.text} onChange={(text) => set('q', text)} />
      </PageHead>
      <div className={classes.filters} role="group" aria-label="What is shown">
        {select('user', 'Any user', options(all.map((s) => [s.user.id, s.user.name])))}
        {select('target', 'Any target', options(all.map((s) => [s.target.id, s.target.name])))}
        {select(
          'tag',
          'Any tag',
          options(all.flatMap((s) => (s.tags ?? []).map((t) => [t, t] as [string, string]))),
        )}
        {select('state', 'Any state', words(standings))}
        {select(
          'risk',
          'Any risk',
          words(levels.slice(1)).map((l) => ({
            ...l,
            label: l.value === 'critical' ? l.label : `${l.label} or more`,
          })),
        )}
        <span className={classes.spread} />
        <Select
          aria-label="Sort by"
          data={words(sorts).map((s) => ({ ...s, label: `By ${s.value}` }))}
          value={sort}
          onChange={(value) => set('sort', value === 'risk' ? null : value)}
          allowDeselect={false}
          w={130}
        />
        <SegmentedControl
          aria-label="Size of cards"
          data={[
            { value: 'large', label: 'Large' },
            { value: 'compact', label: 'Compact' },
          ]}
          value={compact ? 'compact' : 'large'}
          onChange={(value) => set('density', value === 'compact' ? value : null)}
        />
      </div>

      {running.error && <ProblemNotice error={running.error} onRetry={() => void running.refetch()} />}
      {running.isPending && (
        <div className={classes.grid} aria-hidden="true">
          {Array.from({ length: 6 }, (_, i) => (
            <Skeleton key={i} height={260} radius="md" />
          ))}
        </div>
      )}
      {running.data && shown.length === 0 && (
        <Empty
          icon={<IconLayoutGrid size={36} stroke={1.3} />}
          title={narrowed ? 'No running session matches' : 'No session is running'}
        >
          {narrowed ? (
            <Button variant="default" size="xs" mt="sm" onClick={() => setParams({}, { replace: true })}>
              Show all
            </Button>
          ) : (
            'As soon as somebody connects, it appears here.'
          )}
        </Empty>
      )}
      {shown.length > 0 && (
        <Grid compact={compact}>
          {shown.map((s) => (
            <li key={s.id}>
              <SessionCard
                session={s}
                mine={s.user.id === me.id}
                now={now}
                everyMs={thumbnailEvery(shown.length)}
                compact={compact}
              />
            </li>
          ))}
        </Grid>
      )}
    </>
  );
}

/** The cards, among which the arrow keys move. */
function Grid({ compact, children }: { compact: boolean; children: React.ReactNode }) {
  const ref = useRef<HTMLUListElement>(null);
  function onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey || !ref.current) return;
    const cards = [...ref.current.querySelectorAll<HTMLElement>('[data-card]')];
    const at = cards.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const top = (i: number) => cards[i]?.getBoundingClientRect().top;
    const columns = Math.max(
      1,
      cards.findIndex((_, i) => top(i) !== top(0)),
    );
    const row = cards.findIndex((_, i) => top(i) !== top(0)) < 0 ? cards.length : columns;
    const to = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - row,
      ArrowDown: at + row,
      Home: 0,
      End: cards.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    cards[to]?.focus();
  }
  return (
    <ul
      ref={ref}
      className={`${classes.grid ?? ''} ${compact ? (classes.compact ?? '') : ''}`}
      aria-label="Running sessions"
      onKeyDown={onKeyDown}
    >
      {children}
    </ul>
  );
}
