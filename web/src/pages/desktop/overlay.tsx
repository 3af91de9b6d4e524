import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { IconCircleCheck, IconPlugConnectedX, IconSnowflake } from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';
import { api, unwrap, type Session } from '../../api/client';
import { ProblemError } from '../../api/problem';
import { useCan, useMe } from '../../api/me';
import { ProblemNotice } from '../../components/states';
import { Steps } from '../../components/steps';
import { endedOnPurpose } from '../../lib/ends';
import type { Phase, Viewer } from '../../viewer/viewer';
import classes from './desktop.module.css';

const steps = ['Reaching the target', 'Agreeing on the video', 'Waiting for the first picture'];

interface OverlayProps {
  phase: Phase;
  viewer: Viewer;
  session: Session;
}

/** What stands over the picture while it is not simply live. */
export function Overlay({ phase, viewer, session }: OverlayProps) {
  switch (phase.name) {
    case 'live':
      return null;
    case 'connecting':
      return (
        <Sheet>
          <h2>{session.target.name}</h2>
          <p>
            {session.target.protocol.toUpperCase()} · session of {session.user.name}
          </p>
          <Steps steps={steps} current={phase.step} />
        </Sheet>
      );
    case 'reconnecting':
      return (
        <Sheet veil>
          <h2>Reconnecting…</h2>
          <p>
            The connection to the gateway broke. The session goes on and is being recorded; the picture comes
            back as soon as the network does{phase.attempt > 1 ? ` (try ${phase.attempt})` : ''}.
          </p>
          {phase.error instanceof ProblemError && (
            <div style={{ marginBottom: 22 }}>
              <ProblemNotice error={phase.error} />
            </div>
          )}
          <div className={classes.actions}>
            <Button onClick={viewer.retryNow}>Try now</Button>
            <Button component={Link} to="/targets" variant="default">
              Back to the targets
            </Button>
          </div>
        </Sheet>
      );
    case 'frozen':
      return (
        <Sheet veil>
          {phase.code === 'target_reconnecting' ? (
            <h2>Reconnecting to the desktop…</h2>
          ) : (
            <h2>
              <IconSnowflake className={classes.warnIcon} stroke={1.5} /> Frozen
            </h2>
          )}
          <p>{phase.message || 'The session is frozen: nothing is shown and nothing is passed on.'}</p>
        </Sheet>
      );
    case 'ended':
      return <Ended code={phase.code} message={phase.message} session={session} />;
    case 'refused':
      return (
        <Sheet>
          <h2>
            <IconPlugConnectedX className={classes.badIcon} stroke={1.5} /> No picture
          </h2>
          <ProblemNotice error={phase.error} />
          <div className={classes.actions} style={{ marginTop: 20 }}>
            <Button component={Link} to="/targets" variant="default">
              Back to the targets
            </Button>
          </div>
        </Sheet>
      );
  }
}

function Sheet({ veil = false, children }: { veil?: boolean; children: React.ReactNode }) {
  return (
    <div className={`v-dark ${classes.overlay ?? ''}`} data-veil={veil} role="status">
      <div className={classes.box}>{children}</div>
    </div>
  );
}

function Ended({ code, message, session }: { code: string; message: string; session: Session }) {
  const me = useMe();
  const can = useCan();
  const navigate = useNavigate();
  const again = useMutation({
    mutationFn: async () => unwrap(await api.POST('/sessions', { body: { target_id: session.target.id } })),
    onSuccess: (next) => navigate(`/sessions/${next.id}`),
  });
  const chosen = endedOnPurpose(code);
  return (
    <Sheet>
      <h2>
        {chosen ? (
          <IconCircleCheck className={classes.goodIcon} stroke={1.5} />
        ) : (
          <IconPlugConnectedX className={classes.badIcon} stroke={1.5} />
        )}
        The session has ended
      </h2>
      <p>{message || 'The gateway gave no reason.'}</p>
      <p className={classes.code}>
        <span className="mono">{code}</span>
      </p>
      {again.error && (
        <div style={{ marginBottom: 20 }}>
          <ProblemNotice error={again.error} />
        </div>
      )}
      <div className={classes.actions}>
        {session.user.id === me.id && can('connect') && (
          <Button loading={again.isPending} onClick={() => again.mutate()}>
            Connect again
          </Button>
        )}
        {can('replay') && (
          <Button component={Link} to={`/recordings/${session.id}`} variant="default">
            View the recording
          </Button>
        )}
        <Button component={Link} to="/targets" variant="default">
          Back to the targets
        </Button>
      </div>
    </Sheet>
  );
}
