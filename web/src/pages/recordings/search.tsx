import { Button, Skeleton, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconFileSearch } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link, useSearchParams } from 'react-router';
import { minSearch, searchQuery, textKinds, type FoundRecording, type SearchFilter } from '../../api/review';
import { RecordingBadge, ReviewBadge } from '../../components/badge';
import { PageHead } from '../../components/page';
import page from '../../components/page.module.css';
import { Snippet } from '../../components/snippet';
import { Empty, ProblemNotice } from '../../components/states';
import { clock, fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import classes from './search.module.css';

type Field = 'q' | 'names' | 'since' | 'until';

function filterOf(params: URLSearchParams): SearchFilter {
  const time = (field: Field) => {
    const at = new Date(params.get(field) ?? '');
    return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
  };
  const names = params.get('names')?.trim();
  const since = time('since');
  const until = time('until');
  const chosen = params.getAll('kind');
  return {
    q: params.get('q')?.trim() ?? '',
    kind: textKinds.map((k) => k.value).filter((k) => chosen.includes(k)),
    ...(names ? { names } : {}),
    ...(since ? { since } : {}),
    ...(until ? { until } : {}),
  };
}

/** Looks for what was typed, copied and shown, in every recording one may replay. */
export function SearchPage() {
  useTitle('Search in recordings');
  const [params, setParams] = useSearchParams();
  const [settled] = useDebouncedValue(params.toString(), 250);
  const filter = useMemo(() => filterOf(new URLSearchParams(settled)), [settled]);
  const options = searchQuery(filter);
  const query = useInfiniteQuery(options);
  const found = query.data?.pages.flatMap((p) => p.found) ?? [];

  const change = (edit: (next: URLSearchParams) => void) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        edit(next);
        return next;
      },
      { replace: true },
    );
  const set = (field: Field, value: string) =>
    change((next) => (value ? next.set(field, value) : next.delete(field)));
  const kinds = params.getAll('kind');

  return (
    <>
      <PageHead
        title="Search in recordings"
        sub="What was typed, copied and shown, in every recording you may replay."
      >
        <Button component={Link} to="/recordings" variant="default">
          All recordings
        </Button>
      </PageHead>
      <form role="search" aria-label="Search in recordings" onSubmit={(event) => event.preventDefault()}>
        <TextInput
          type="search"
          size="md"
          autoFocus
          maxLength={200}
          aria-label="Look for"
          placeholder='A piece of a command, a path, a title… "several words" in quotes stay together'
          value={params.get('q') ?? ''}
          onChange={(event) => set('q', event.currentTarget.value)}
          leftSection={<IconFileSearch size={19} stroke={1.6} />}
        />
        <div className={classes.filters}>
          <div className={classes.kinds} role="group" aria-label="Only">
            {textKinds.map(({ value, label }) => (
              <button
                key={value}
                type="button"
                className={classes.kind}
                aria-pressed={kinds.includes(value)}
                onClick={() =>
                  change((next) =>
                    kinds.includes(value) ? next.delete('kind', value) : next.append('kind', value),
                  )
                }
              >
                {label}
              </button>
            ))}
          </div>
          <TextInput
            label="User, target or address"
            w={220}
            maxLength={200}
            value={params.get('names') ?? ''}
            onChange={(event) => set('names', event.currentTarget.value)}
          />
          <TextInput
            label="From"
            type="datetime-local"
            w={200}
            value={params.get('since') ?? ''}
            onChange={(event) => set('since', event.currentTarget.value)}
          />
          <TextInput
            label="Until"
            type="datetime-local"
            w={200}
            value={params.get('until') ?? ''}
            onChange={(event) => set('until', event.currentTarget.value)}
          />
        </div>
      </form>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isLoading && <Skeleton height={220} radius="md" aria-hidden="true" />}
      {options.enabled === false && (
        <Empty icon={<IconFileSearch size={38} stroke={1.3} />} title="What are you looking for?">
          {filter.q === ''
            ? 'Parts of words are found, too, whatever their case.'
            : `At least ${minSearch} characters in a row lead somewhere.`}
        </Empty>
      )}
      {query.data && found.length === 0 && !query.hasNextPage && (
        <Empty icon={<IconFileSearch size={38} stroke={1.3} />} title="Nothing matches" />
      )}
      <div aria-live="polite">
        {found.map((f) => (
          <FoundCard key={f.recording.session.id} found={f} q={filter.q} />
        ))}
      </div>
      {query.hasNextPage && (
        <Button
          mt="md"
          variant="default"
          loading={query.isFetchingNextPage}
          onClick={() => void query.fetchNextPage()}
        >
          Older recordings
        </Button>
      )}
    </>
  );
}

function FoundCard({ found, q }: { found: FoundRecording; q: string }) {
  const { session } = found.recording;
  const at = (ms?: number) =>
    `/recordings/${session.id}?${new URLSearchParams({ ...(ms === undefined ? {} : { t: String(ms / 1000) }), q }).toString()}`;
  return (
    <article className={`${page.card ?? ''} ${classes.found ?? ''}`} aria-label={session.target.name}>
      <header className={classes.head}>
        <Link className={page.link} to={at()}>
          {session.target.name}
        </Link>
        <span>{session.user.name}</span>
        <span title={fullTime(session.started_at)}>{when(session.started_at)}</span>
        <span className={classes.spring} />
        {found.recording.state !== 'sealed' && <RecordingBadge recording={found.recording} />}
        <ReviewBadge review={found.recording.review} />
      </header>
      <ul className={classes.hits}>
        {found.hits.map((hit, i) => (
          <li key={i}>
            <Link className={classes.hit} to={at(hit.t_ms)}>
              <span className="tabular">{clock(hit.t_ms)}</span>
              <span className={classes.what}>{textKinds.find((k) => k.value === hit.kind)?.label}</span>
              <Snippet hit={hit} />
            </Link>
          </li>
        ))}
      </ul>
      {found.more && (
        <Link className={classes.more} to={at()}>
          More in this recording
        </Link>
      )}
    </article>
  );
}
