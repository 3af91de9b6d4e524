import { ActionIcon, Button, CloseButton, Loader, SegmentedControl, Tooltip } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { IconDownload, IconHourglass, IconLock, IconShieldCheck } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { apiBase, type Recording } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { eventsQuery, indexQuery, recordingQuery } from '../../api/queries';
import { hitsQuery, notesQuery, timelineQuery } from '../../api/review';
import { RecordingBadge, ReviewBadge } from '../../components/badge';
import { PageLoading, ProblemNotice } from '../../components/states';
import { bytes, fullTime } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import { neighbour, parseClock } from '../../player/heat';
import type { Player } from '../../player/player';
import { CustodyDialog } from '../recordings/custody-dialog';
import { ExportDialog } from '../recordings/export-dialog';
import { VerifyDialog } from '../recordings/verify-dialog';
import { Controls } from './controls';
import { EventList } from './event-list';
import { Help } from './help';
import { NotesPanel } from './notes-panel';
import classes from './player.module.css';
import { SearchPanel } from './search-panel';
import side from './side-panel.module.css';
import { usePlayer } from './use-player';
import { usePlayerKeys, type PlayerActs } from './use-player-keys';

const noKinds: never[] = [];
const noHits: never[] = [];
const noNotes: never[] = [];

/** The moment a link leads to: ?t= in seconds or as a clock. */
function startOf(params: URLSearchParams): number | null {
  return parseClock(params.get('t') ?? '');
}

/** Replay of one session. */
export function PlayerPage() {
  const { session = '' } = useParams();
  const recording = useQuery(recordingQuery(session));
  const index = useQuery(indexQuery(session));
  useTitle(recording.data ? `Recording of ${recording.data.session.target.name}` : 'Recording');
  const error = recording.error ?? index.error;
  if (error && !(recording.data && index.data)) {
    return (
      <ProblemNotice
        error={error}
        onRetry={() => {
          void recording.refetch();
          void index.refetch();
        }}
      />
    );
  }
  if (!recording.data) return <PageLoading />;
  return <Replay key={session} recording={recording.data} />;
}

type Tab = 'events' | 'search' | 'review';

function Replay({ recording }: { recording: Recording }) {
  const { session } = recording;
  const [params] = useSearchParams();
  const [startMs] = useState(() => startOf(params));
  const [tab, setTab] = useState<Tab>(params.get('q') ? 'search' : 'events');
  const [search, setSearch] = useState(params.get('q') ?? '');
  const [settled] = useDebouncedValue(search, 250);
  const [goingTo, setGoingTo] = useState(false);
  const [help, setHelp] = useState(false);
  const [copied, setCopied] = useState(false);
  const { data: index } = useQuery(indexQuery(session.id));
  const live = index?.live ?? false;
  const events = useQuery(eventsQuery(session.id, live));
  const timeline = useQuery(timelineQuery(session.id, live));
  const notes = useQuery(notesQuery(session.id));
  const found = useQuery(hitsQuery(session.id, settled, noKinds, live));
  const { player, mount } = usePlayer(session.id, index, startMs);
  const box = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const hits = settled.trim() === '' ? noHits : (found.data?.hits ?? noHits);
  const entries = events.data?.entries ?? [];
  // What keys lead to now, for handlers that stay.
  const times = useRef({ marks: [] as number[], hits: [] as number[] });
  useEffect(() => {
    const marks = timeline.data?.markers.map((m) => m.t_ms) ?? [];
    times.current = {
      marks: [...marks, ...(notes.data?.map((n) => n.t_ms) ?? [])].sort((a, b) => a - b),
      hits: hits.map((h) => h.t_ms),
    };
  }, [timeline.data, notes.data, hits]);

  const acts = useMemo<PlayerActs>(() => {
    const go = (list: readonly number[], direction: 1 | -1) => {
      const to = player ? neighbour(list, player.store.get().timeMs, direction) : null;
      if (player && to !== null) player.seek(to);
    };
    const show = (next: Tab, field: string) => {
      setTab(next);
      requestAnimationFrame(() => panel.current?.querySelector<HTMLElement>(field)?.focus());
    };
    return {
      fullScreen: () => {
        if (document.fullscreenElement) void document.exitFullscreen();
        else void box.current?.requestFullscreen();
      },
      mark: (direction) => go(times.current.marks, direction),
      hit: (direction) => go(times.current.hits, direction),
      goTo: () => setGoingTo(true),
      search: () => show('search', 'input'),
      write: () => show('review', 'textarea'),
      copyLink: () => {
        const t = ((player?.store.get().timeMs ?? 0) / 1000).toFixed(1);
        void navigator.clipboard
          .writeText(`${window.location.origin}/recordings/${session.id}?t=${t}`)
          .then(() => setCopied(true));
      },
      help: () => setHelp(true),
    };
  }, [player, session.id]);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  usePlayerKeys(player, acts);

  return (
    <div className={classes.page} data-wide>
      <Head recording={recording} />
      <div className={classes.columns}>
        <div className={classes.box} ref={box}>
          <div className={classes.picture}>
            <video
              ref={mount}
              muted
              playsInline
              data-testid="recording"
              aria-label="Recorded desktop"
              onClick={() => player?.toggle()}
            />
            {player && <PictureState player={player} empty={index?.segments.length === 0} />}
            {copied && (
              <div className={classes.copied} role="status">
                The link is on the clipboard
              </div>
            )}
          </div>
          {player && index && (
            <Controls
              player={player}
              index={index}
              timeline={timeline.data}
              hits={hits}
              notes={notes.data ?? noNotes}
              pictureAt={(ms) => `${apiBase}/recordings/${session.id}/thumbnail?at=${ms}`}
              goingTo={goingTo}
              onGoTo={setGoingTo}
              onFullScreen={acts.fullScreen}
              onCopyLink={acts.copyLink}
              onHelp={acts.help}
            />
          )}
        </div>
        {player && (
          <div className={side.panel} ref={panel}>
            <SegmentedControl
              size="xs"
              fullWidth
              aria-label="Beside the picture"
              data={[
                { value: 'events', label: 'Events' },
                { value: 'search', label: 'Search' },
                { value: 'review', label: notes.data?.length ? `Review (${notes.data.length})` : 'Review' },
              ]}
              value={tab}
              onChange={setTab}
            />
            {tab === 'events' && (
              <EventList
                player={player}
                entries={entries}
                error={events.error}
                className={classes.events ?? ''}
              />
            )}
            {tab === 'search' && (
              <SearchPanel
                player={player}
                text={search}
                onText={setSearch}
                hits={hits}
                more={found.data?.next !== undefined}
                busy={found.isFetching || settled !== search}
                error={found.error}
              />
            )}
            {tab === 'review' && (
              <NotesPanel
                player={player}
                session={session.id}
                notes={notes.data ?? noNotes}
                error={notes.error}
              />
            )}
          </div>
        )}
      </div>
      <Help opened={help} onClose={() => setHelp(false)} />
    </div>
  );
}

function PictureState({ player, empty }: { player: Player; empty: boolean }) {
  const { waiting, problem, failure } = useSyncExternalStore(player.store.subscribe, player.store.get);
  if (failure) {
    return (
      <div className={classes.failure}>
        <ProblemNotice error={failure} onRetry={() => window.location.reload()} />
      </div>
    );
  }
  return (
    <>
      {empty ? (
        <div className={classes.loading} style={{ color: '#9eaba6' }}>
          Nothing was recorded yet.
        </div>
      ) : (
        waiting && (
          <div className={classes.loading}>
            <Loader color="#d7dedb" size="md" type="dots" />
          </div>
        )
      )}
      {problem && (
        <div className={classes.problem} role="alert">
          <div>
            <span>
              <strong className="mono">{problem.segment}</strong> cannot be shown: {problem.message}
            </span>
            <CloseButton size="sm" aria-label="Dismiss" onClick={() => player.dismissProblem()} />
          </div>
        </div>
      )}
    </>
  );
}

function Head({ recording }: { recording: Recording }) {
  const { session } = recording;
  const me = useMe();
  const can = useCan();
  const [verifying, setVerifying] = useState(false);
  const [exporting, setExporting] = useState(false);
  const [keeping, setKeeping] = useState(false);
  const running = session.state !== 'ended';
  return (
    <div className={classes.head}>
      <div>
        <h1>{session.target.name}</h1>
        <div className={classes.meta}>
          <span>{session.user.name}</span>
          <span>{fullTime(session.started_at)}</span>
          <span className="tabular">{bytes(recording.bytes)}</span>
          <RecordingBadge recording={recording} />
          <ReviewBadge review={recording.review} />
        </div>
      </div>
      <div className={classes.headTools}>
        {running && session.user.id === me.id && (
          <Button component={Link} to={`/sessions/${session.id}`} variant="light">
            Return to the desktop
          </Button>
        )}
        {running && session.user.id !== me.id && can('view_live') && (
          <Button component={Link} to={`/sessions/${session.id}?role=view`} variant="light">
            Watch live
          </Button>
        )}
        {recording.state === 'sealed' && (
          <Button
            variant="default"
            leftSection={<IconShieldCheck size={17} stroke={1.6} />}
            onClick={() => setVerifying(true)}
          >
            Verify
          </Button>
        )}
        {can('export') && (
          <Button
            variant="default"
            leftSection={<IconDownload size={17} stroke={1.6} />}
            onClick={() => setExporting(true)}
          >
            Export
          </Button>
        )}
        <Tooltip label="How long it is kept">
          <ActionIcon
            variant="default"
            size={36}
            aria-label="How long it is kept"
            onClick={() => setKeeping(true)}
          >
            {recording.custody?.hold ? (
              <IconLock size={17} stroke={1.6} />
            ) : (
              <IconHourglass size={17} stroke={1.6} />
            )}
          </ActionIcon>
        </Tooltip>
      </div>
      {verifying && <VerifyDialog recording={recording} onClose={() => setVerifying(false)} />}
      {exporting && <ExportDialog recording={recording} onClose={() => setExporting(false)} />}
      {keeping && <CustodyDialog recording={recording} onClose={() => setKeeping(false)} />}
    </div>
  );
}
