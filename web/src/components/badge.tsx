import type { Recording, Session } from '../api/client';
import { endedOnPurpose } from '../lib/ends';
import { count, fullTime } from '../lib/format';
import classes from './badge.module.css';

type Tone = 'good' | 'warn' | 'bad' | 'quiet';

interface BadgeProps {
  tone: Tone;
  label: string;
  /** Something is going on. */
  pulse?: boolean;
  title?: string;
}

export function Badge({ tone, label, pulse = false, title }: BadgeProps) {
  const look = pulse ? classes.pulse : tone === 'quiet' ? classes.hollow : '';
  return (
    <span className={`${classes.badge ?? ''} ${classes[tone] ?? ''} ${look ?? ''}`} title={title}>
      {label}
    </span>
  );
}

export function Tag({ children }: { children: string }) {
  return <span className={classes.tag}>{children}</span>;
}

const sessionStates = {
  connecting: { tone: 'warn', label: 'Connecting', pulse: true },
  active: { tone: 'good', label: 'Active', pulse: true },
  frozen: { tone: 'warn', label: 'Frozen', pulse: false },
  ended: { tone: 'quiet', label: 'Ended', pulse: false },
} as const;

export function SessionBadge({ session }: { session: Session }) {
  if (session.state === 'ended' && session.end && !endedOnPurpose(session.end.code)) {
    return <Badge tone="bad" label="Ended with an error" title={session.end.message} />;
  }
  const { frozen } = session;
  const why = frozen ? { title: `${frozen.by ? `by ${frozen.by.name}: ` : ''}${frozen.reason}` } : {};
  return <Badge {...sessionStates[session.state]} {...why} />;
}

const reviewBadges = {
  to_do: { tone: 'quiet', label: 'To review' },
  seen: { tone: 'good', label: 'Seen' },
  flagged: { tone: 'bad', label: 'Flagged' },
} as const;

export function ReviewBadge({ review }: { review: Recording['review'] }) {
  const state = review?.state ?? 'to_do';
  const title =
    review?.by && review.at ? `${review.by}, ${fullTime(review.at)}` : 'Nobody has reviewed it yet';
  return <Badge {...reviewBadges[state]} title={title} />;
}

export function RecordingBadge({ recording }: { recording: Recording }) {
  switch (recording.state) {
    case 'recording':
      return <Badge tone="bad" pulse label="Recording" />;
    case 'uploading': {
      const left = recording.pending_files ?? 0;
      return (
        <Badge
          tone="warn"
          pulse
          label={left > 0 ? `Uploading, ${count(left, 'file')} left` : 'Uploading'}
          {...(recording.error ? { title: recording.error } : {})}
        />
      );
    }
    case 'sealed':
      return (
        <Badge
          tone="good"
          label="Sealed"
          title={
            recording.sealed_by === 'recovery'
              ? 'Sealed by the gateway after the worker ended unexpectedly'
              : 'Complete and in the store'
          }
        />
      );
    case 'failed':
      return <Badge tone="bad" label="Failed" {...(recording.error ? { title: recording.error } : {})} />;
    case 'deleted':
      return <Badge tone="quiet" label="Deleted" title={recording.custody?.deleted?.reason ?? ''} />;
  }
}
