import { ActionIcon, Button, CloseButton, Loader, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconDownload, IconShieldCheck } from '@tabler/icons-react';
import { useCallback, useRef, useState, useSyncExternalStore } from 'react';
import { Link, useParams } from 'react-router';
import { apiBase, type Recording } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { eventsQuery, indexQuery, recordingQuery } from '../../api/queries';
import { RecordingBadge } from '../../components/badge';
import { PageLoading, ProblemNotice } from '../../components/states';
import { bytes, fullTime } from '../../lib/format';
import { useTitle } from '../../lib/use-title';
import type { Player } from '../../player/player';
import { VerifyDialog } from '../recordings/verify-dialog';
import { Controls } from './controls';
import { EventList } from './event-list';
import classes from './player.module.css';
import { usePlayer } from './use-player';
import { usePlayerKeys } from './use-player-keys';

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

function Replay({ recording }: { recording: Recording }) {
  const { session } = recording;
  const { data: index } = useQuery(indexQuery(session.id));
  const events = useQuery(eventsQuery(session.id, index?.live ?? false));
  const { player, mount } = usePlayer(session.id, index);
  const box = useRef<HTMLDivElement>(null);
  const fullScreen = useCallback(() => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void box.current?.requestFullscreen();
  }, []);
  usePlayerKeys(player, fullScreen);
  const entries = events.data?.entries ?? [];

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
          </div>
          {player && index && (
            <Controls player={player} index={index} entries={entries} onFullScreen={fullScreen} />
          )}
        </div>
        {player && (
          <EventList
            player={player}
            entries={entries}
            error={events.error}
            className={classes.events ?? ''}
          />
        )}
      </div>
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
          <Tooltip label="Export as MP4">
            <ActionIcon
              component="a"
              variant="default"
              size={36}
              aria-label="Export as MP4"
              href={`${apiBase}/recordings/${session.id}/export`}
              download={`vitrine-${session.id}.mp4`}
            >
              <IconDownload size={17} stroke={1.6} />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      {verifying && <VerifyDialog recording={recording} onClose={() => setVerifying(false)} />}
    </div>
  );
}
