import { ActionIcon, Button, Select, Skeleton, Tooltip } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { IconDownload, IconMovie, IconShieldCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { apiBase, type Recording } from '../../api/client';
import { useCan } from '../../api/me';
import { recordingsQuery } from '../../api/queries';
import { RecordingBadge } from '../../components/badge';
import { PageHead } from '../../components/page';
import classes from '../../components/page.module.css';
import { Search } from '../../components/search';
import { Empty, ProblemNotice } from '../../components/states';
import { bytes, clock, fullTime, when } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { matchesSession } from '../sessions/filter';
import { VerifyDialog } from './verify-dialog';

const states = [
  { value: 'all', label: 'All states' },
  { value: 'recording', label: 'Recording' },
  { value: 'uploading', label: 'Uploading' },
  { value: 'sealed', label: 'Sealed' },
  { value: 'failed', label: 'Failed' },
];

export function RecordingsPage() {
  useTitle('Recordings');
  const [search, setSearch] = useState('');
  const [state, setState] = useState('all');
  const [verifying, setVerifying] = useState<Recording | null>(null);
  const query = useInfiniteQuery(recordingsQuery);
  const all = query.data?.pages.flatMap((p) => p.recordings) ?? [];
  const shown = all.filter(
    (r) => (state === 'all' || r.state === state) && matchesSession(r.session, search),
  );

  return (
    <>
      <PageHead title="Recordings" sub="Every session, from its first picture to its last.">
        <Select
          aria-label="Filter by state"
          data={states}
          value={state}
          onChange={(value) => setState(value ?? 'all')}
          allowDeselect={false}
          w={150}
        />
        <Search label="Search recordings" value={search} onChange={setSearch} />
      </PageHead>

      {query.error && <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <Skeleton height={320} radius="md" aria-hidden="true" />}
      {query.data && shown.length === 0 && (
        <Empty
          icon={<IconMovie size={38} stroke={1.3} />}
          title={all.length === 0 ? 'No recordings yet' : 'Nothing matches'}
        >
          {all.length === 0 ? 'The first session makes the first recording.' : null}
        </Empty>
      )}
      {shown.length > 0 && (
        <div className={classes.card}>
          <div className={classes.scroll}>
            <table className={classes.table} aria-label="Recordings">
              <thead>
                <tr>
                  <th>Target</th>
                  <th>User</th>
                  <th>Started</th>
                  <th>Duration</th>
                  <th>Size</th>
                  <th>State</th>
                  <th aria-label="Actions" />
                </tr>
              </thead>
              <tbody>
                {shown.map((r) => (
                  <Row key={r.session.id} recording={r} onVerify={() => setVerifying(r)} />
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
    </>
  );
}

function Row({ recording, onVerify }: { recording: Recording; onVerify: () => void }) {
  const can = useCan();
  const { session } = recording;
  return (
    <tr>
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
            <Tooltip label="Export as MP4">
              <ActionIcon
                component="a"
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Export the recording of ${session.target.name} as MP4`}
                href={`${apiBase}/recordings/${session.id}/export`}
                download={`vitrine-${session.id}.mp4`}
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
