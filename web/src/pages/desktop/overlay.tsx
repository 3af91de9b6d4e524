import { Button } from '@mantine/core';
import { IconCircleCheck, IconPlugConnectedX, IconSnowflake } from '@tabler/icons-react';
import { useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import type { Session } from '../../api/client';
import { ProblemError } from '../../api/problem';
import { useCan, useMe } from '../../api/me';
import { ProblemNotice } from '../../components/states';
import { Steps } from '../../components/steps';
import { endedOnPurpose } from '../../lib/ends';
import { fullTime, timeOfDay } from '../../lib/format';
import type { Freeze, Phase, Question, Viewer } from '../../viewer/viewer';
import { isNeeded, NeededForm } from '../targets/needed-form';
import { useConnect } from '../targets/use-connect';
import classes from './desktop.module.css';

const steps = ['Reaching the target', 'Agreeing on the video', 'Waiting for the first picture'];

interface OverlayProps {
  phase: Phase;
  viewer: Viewer;
  session: Session;
}

/** What stands over the picture while it is not simply live. */
export function Overlay({ phase, viewer, session }: OverlayProps) {
  const { freeze, question } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
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
      if (freeze && !freeze.live) return <Frozen freeze={freeze} question={question} />;
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

/** Somebody has frozen the session: a blurred still hides the last picture, and over it is said why. */
function Frozen({ freeze, question }: { freeze: Freeze; question: Question | null }) {
  const since = new Date(freeze.since).toISOString();
  let title = freeze.by ? `${freeze.by} has frozen this session` : 'This session is frozen';
  let reason = freeze.reason || 'No reason was given.';
  if (question) {
    title = `${question.by} is asked for a reason`;
    reason += ` It can be given where ${question.by} has control of this desktop; a supervisor can let the session go on.`;
  }
  return (
    <>
      <div className={classes.still}>
        {freeze.still && <img src={`data:image/jpeg;base64,${freeze.still}`} alt="" draggable={false} />}
      </div>
      {/* Where it is asked, the prompt says it. */}
      {!question?.mine && (
        <Sheet still>
          <h2>
            <IconSnowflake className={classes.warnIcon} stroke={1.5} />
            {title}
          </h2>
          <p>{reason}</p>
          <p className={classes.code} title={fullTime(since)}>
            Since {timeOfDay(since)}. Nothing you type or click arrives; the desktop and its recording go on.
          </p>
        </Sheet>
      )}
    </>
  );
}

interface SheetProps {
  /** What is below shows through. */
  veil?: boolean;
  /** A still is below. */
  still?: boolean;
  children: React.ReactNode;
}

function Sheet({ veil = false, still = false, children }: SheetProps) {
  return (
    <div className={`v-dark ${classes.overlay ?? ''}`} data-veil={veil} data-still={still} role="status">
      <div className={classes.box}>{children}</div>
    </div>
  );
}

function Ended({ code, message, session }: { code: string; message: string; session: Session }) {
  const me = useMe();
  const can = useCan();
  const again = useConnect();
  const destination = { ...session.target, account: session.account?.id };
  const chosen = endedOnPurpose(code);
  if (isNeeded(again.error)) {
    return (
      <Sheet>
        <h2>{session.target.name}</h2>
        <NeededForm
          key={again.error.problem.code}
          error={again.error}
          given={again.variables ?? {}}
          back="Back"
          onGive={(given) => again.mutate({ ...destination, ...again.variables, ...given })}
          onBack={() => again.reset()}
        />
      </Sheet>
    );
  }
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
          <Button loading={again.isPending} onClick={() => again.mutate(destination)}>
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
