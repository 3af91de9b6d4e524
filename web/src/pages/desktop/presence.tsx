import { IconEye, IconHandStop, IconHelpCircle, IconSnowflake } from '@tabler/icons-react';
import { useSyncExternalStore } from 'react';
import { fullTime, timeOfDay } from '../../lib/format';
import type { Viewer, ViewerState } from '../../viewer/viewer';
import classes from './toolbar.module.css';

/** Names as a sentence lists them: Carol; Carol and Dan; Carol and 2 others. */
export function names(all: string[]): string {
  const [first = '', second] = all;
  if (second === undefined) return first;
  return all.length === 2 ? `${first} and ${second}` : `${first} and ${all.length - 1} others`;
}

/** What others do to this session, in words; nothing when it is left alone. */
export function presence({
  over,
  freeze,
  question,
  watchers,
}: Pick<ViewerState, 'over' | 'freeze' | 'question' | 'watchers'>) {
  const watching = [...new Set(watchers.map((w) => w.name))];
  return {
    control: over ? (over.mine ? 'You have control' : `${over.by} has control`) : '',
    asked:
      question && !question.mine
        ? `${question.by} is asked for a reason: ${question.rules.map((r) => r.name).join(', ')}`
        : '',
    frozen: freeze?.live ? `Frozen ${freeze.by ? `by ${freeze.by}` : 'by a rule'}` : '',
    watching:
      watching.length > 0 ? `${names(watching)} ${watching.length === 1 ? 'is' : 'are'} watching` : '',
  };
}

/** Who acts, who watches, and that the session is frozen for its person. */
export function Presence({ viewer }: { viewer: Viewer }) {
  const state = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const { over, freeze, question, watchers } = state;
  const { control, asked, frozen, watching } = presence(state);
  const since = (ms: number) => `since ${fullTime(new Date(ms).toISOString())}`;
  return (
    <span className={classes.presence} role="status">
      {control && (
        <span className={classes.acting} title={over ? since(over.since) : undefined}>
          <IconHandStop size={15} stroke={1.7} aria-hidden="true" />
          {control}
        </span>
      )}
      {asked && question && (
        <span className={classes.watching} title={since(question.since)}>
          <IconHelpCircle size={15} stroke={1.7} aria-hidden="true" />
          {asked}
        </span>
      )}
      {frozen && freeze && (
        <span className={classes.watching} title={`${since(freeze.since)}: ${freeze.reason}`}>
          <IconSnowflake size={15} stroke={1.7} aria-hidden="true" />
          {frozen}, {timeOfDay(new Date(freeze.since).toISOString())}
        </span>
      )}
      {watching && (
        <span
          className={classes.watching}
          title={watchers.map((w) => `${w.name}, ${since(w.since)}`).join('; ')}
        >
          <IconEye size={15} stroke={1.7} aria-hidden="true" />
          {watching}
        </span>
      )}
    </span>
  );
}
