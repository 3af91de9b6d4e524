import { ActionIcon, Button, Select, Skeleton, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconDownload, IconFileSearch, IconMovie, IconShieldCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { Recording } from '../../api/client';
import { useCan } from '../../api/me';
import { recordingsQuery } from '../../api/queries';
import { reviewStates } from '../../api/review';
import { RecordingBadge, ReviewBadge } from '../../components/badge';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { bytes, clock, fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { Poster } from './poster';
import poster from './poster.module.css';
import { ExportDialog } from './export-dialog';
import { VerifyDialog } from './verify-dialog';

const states = [
  { value: 'all', label: 'All states' },
  { value: 'recording', label: 'Recording' },
  { value: 'uploading', label: 'Uploading' },
  { value: 'sealed', label: 'Sealed' },
  { value: 'failed', label: 'Failed' },
  { value: 'deleted', label: 'Deleted' },
];

export function RecordingsPage() {
  useTitle('Recordings');
  const [params, setParams] = useSearchParams();
  const search = params.get('q') ?? '';
  const review = reviewStates.find((s) => s.value === params.get('review'))?.value;
  const [settled] = useDebouncedValue(search.trim(), 250);
  const [state, setState] = useState('all');
  const [verifying, setVerifying] = useState<Recording | null>(null);
  const [exporting, setExporting] = useState<Recording | null>(null);
  const query = useInfiniteQuery(
    recordingsQuery({ ...(settled ? { q: settled } : {}), ...(review ? { review } : {}) }),
  );
  const all = query.data?.pages.flatMap((p) => p.recordings) ?? [];
  const shown = all.filter((r) => state === 'all' || r.state === state);
  const filtered = settled !== '' || review !== undefined || state !== 'all';
  const set = (name: string, value: string) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );

  return (
    <>
      <PageHead title="Recordings" sub="Every session, from its first picture to its last.">
        <Select
          aria-label="Filter by review"
          data={[{ value: 'all', label: 'Any review' }, ...reviewStates]}
          value={review ?? 'all'}
          onChange={(value) => set('review', value === 'all' ? '' : (value ?? ''))}
          allowDeselect={false}
          w={140}
        />
        <Select
          aria-label="Filter by state"
          data={states}
          value={state}
          onChange={(value) => setState(value ?? 'all')}
          allowDeselect={false}
          w={150}
        />
        <Search label="Search recordings" value={search} onChange={(q) => set('q', q)} />
        <Button
          component={Link}
          to="/recordings/search"
          variant="default"
          leftSection={<IconFileSearch size={17} stroke={1.6} />}
        >
          Search inside
        </Button>
      </PageHead>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && shown.length === 0 && (
        <Empty
          icon={<IconMovie size={38} stroke={1.3} />}
          title={filtered ? 'Nothing matches' : 'No recordings yet'}
        >
          {filtered ? null : 'The first session makes the first recording.'}
        </Empty>
      )}
      {shown.length > 0 && (
        <div className={classes.card}>
          <div className={classes.scroll}>
            <table className={classes.table} aria-label="Recordings">
              <thead>
                <tr>
                  <th aria-label="Picture" />
                  <th>Target</th>
                  <th>User</th>
                  <th>Started</th>
                  <th>Duration</th>
                  <th>Size</th>
                  <th>State</th>
                  <th>Review</th>
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {shown.map((r) => (
                  <Row
                    key={r.session.id}
                    recording={r}
                    onVerify={() => setVerifying(r)}
                    onExport={() => setExporting(r)}
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
          Older recordings
        </Button>
      )}
      {verifying && <VerifyDialog recording={verifying} onClose={() => setVerifying(null)} />}
      {exporting && <ExportDialog recording={exporting} onClose={() => setExporting(null)} />}
    </>
  );
}

interface RowProps {
  recording: Recording;
  onVerify: () => void;
  onExport: () => void;
}

function Row({ recording, onVerify, onExport }: RowProps) {
  const can = useCan();
  const { session } = recording;
  return (
    <tr>
      <td className={poster.cell}>
        <Poster session={session.id} />
      </td>
      <td>
        <Link className={classes.link} to={`/recordings/${session.id}`}>
          {session.target.name}
        </Link>
      </td>
      <td>{session.user.name}</td>
      <td className={classes.nowrap} title={fullTime(session.started_at)}>
        {when(session.started_at)}
      </td>
      <td className={`${classes.nowrap ?? ''} tabular`}>{clock(recording.duration_ms)}</td>
      <td className={`${classes.nowrap ?? ''} tabular`}>{bytes(recording.bytes)}</td>
      <td>
        <RecordingBadge recording={recording} />
        {recording.error && <div className={classes.small}>{recording.error}</div>}
      </td>
      <td>
        <ReviewBadge review={recording.review} />
      </td>
      <td>
        <div className={classes.actions}>
          <Tooltip
            label={recording.state === 'sealed' ? 'Verify the hashes' : 'Can be verified once it is sealed'}
          >
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label={`Verify the recording of ${session.target.name}`}
              data-disabled={recording.state !== 'sealed'}
              aria-disabled={recording.state !== 'sealed'}
              onClick={() => recording.state === 'sealed' && onVerify()}
            >
              <IconShieldCheck size={18} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
          {can('export') && (
            <Tooltip label="Export">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Export the recording of ${session.target.name}`}
                onClick={onExport}
              >
                <IconDownload size={18} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
          )}
          <Button component={Link} to={`/recordings/${session.id}`} size="xs" variant="light">
            Play
          </Button>
        </div>
      </td>
    </tr>
  );
}
