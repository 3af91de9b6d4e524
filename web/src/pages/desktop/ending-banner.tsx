import { IconClockExclamation } from '@tabler/icons-react';
import { useSyncExternalStore } from 'react';
import { timeLeft } from '../../lib/format';
import { useNow } from '../../lib/use-now';
import type { Ending, Viewer } from '../../viewer/viewer';
import classes from './desktop.module.css';

/** From here on the banner is red, in milliseconds. */
const soonMs = 20_000;

/** Says that the session is going to end, why, and how much time is left. */
export function EndingBanner({ viewer }: { viewer: Viewer }) {
  const { ending, phase } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  if (!ending || phase.name === 'ended') return null;
  return <Banner ending={ending} />;
}

function Banner({ ending }: { ending: Ending }) {
  const left = ending.at - useNow(true, 500);
  return (
    <div className={classes.ending} data-soon={left < soonMs} data-code={ending.code} role="alert">
      <IconClockExclamation size={20} stroke={1.6} aria-hidden="true" />
      <span>{ending.message}</span>
      {/* Read out once, with the message: a screen reader that counts along helps nobody. */}
      <strong role="timer" aria-live="off">
        Ends in {timeLeft(left)}
      </strong>
    </div>
  );
}
