import { ActionIcon, CloseButton, TextInput, Tooltip } from '@mantine/core';
import {
  IconAlertTriangle,
  IconClipboardText,
  IconCommand,
  IconCopy,
  IconDots,
  IconEye,
  IconFocusCentered,
  IconKeyboard,
  IconPointer,
  IconPower,
  IconResize,
  IconSearch,
  IconTextScan2,
} from '@tabler/icons-react';
import { useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { ProblemNotice } from '../../components/states';
import { clock } from '../../lib/format';
import { entryAt, searchEntries, type Entry, type EntryKind } from '../../player/events';
import type { Player } from '../../player/player';
import classes from './event-list.module.css';

const rowHeight = 46;
/** Rows drawn beyond the visible ones. */
const margin = 6;

const icons: Record<EntryKind, typeof IconDots> = {
  text: IconKeyboard,
  keys: IconCommand,
  pointer: IconPointer,
  clipboard: IconClipboardText,
  screen: IconResize,
  read: IconTextScan2,
  viewer: IconEye,
  state: IconPower,
  warning: IconAlertTriangle,
  other: IconDots,
};

interface EventListProps {
  player: Player;
  entries: readonly Entry[];
  error: unknown;
  className: string;
}

/** What happened, beside the picture: follows the playing, and leads to any event's moment. */
export function EventList({ player, entries, error, className }: EventListProps) {
  const [search, setSearch] = useState('');
  const [follow, setFollow] = useState(true);
  const list = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const shown = useMemo(() => searchEntries(entries, search), [entries, search]);
  const current = useSyncExternalStore(player.store.subscribe, () =>
    entryAt(shown, player.store.get().timeMs + 20),
  );

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setView((v) => ({ ...v, height: element.clientHeight })));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = list.current;
    if (!follow || !element || current < 0) return;
    element.scrollTo({ top: (current + 0.5) * rowHeight - element.clientHeight / 2 });
  }, [current, follow]);

  const from = Math.max(0, Math.floor(view.top / rowHeight) - margin);
  const rows = shown.slice(from, Math.ceil((view.top + view.height) / rowHeight) + margin);

  return (
    <section className={`${classes.panel ?? ''} ${className}`} aria-label="Events">
      <div className={classes.head}>
        <TextInput
          size="xs"
          type="search"
          aria-label="Search events"
          placeholder={`Search ${entries.length.toLocaleString()} events`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          leftSection={<IconSearch size={14} stroke={1.6} />}
          rightSection={
            search ? (
              <CloseButton size="xs" aria-label="Clear the search" onClick={() => setSearch('')} />
            ) : null
          }
        />
        <Tooltip label={follow ? 'The list follows the picture' : 'Follow the picture'}>
          <ActionIcon
            variant={follow ? 'light' : 'subtle'}
            color={follow ? 'verdigris' : 'gray'}
            size={30}
            aria-pressed={follow}
            aria-label="Follow the picture"
            onClick={() => setFollow(!follow)}
          >
            <IconFocusCentered size={16} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </div>
      {error ? (
        <div className={classes.problem}>
          <ProblemNotice error={error} />
        </div>
      ) : null}
      <div
        ref={list}
        className={classes.list}
        onScroll={(event) =>
          setView({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })
        }
        onWheel={() => setFollow(false)}
        onTouchMove={() => setFollow(false)}
      >
        {shown.length === 0 ? (
          <p className={classes.empty}>{search ? 'No event matches.' : 'No events yet.'}</p>
        ) : (
          <div style={{ height: shown.length * rowHeight }}>
            {rows.map((entry, i) => (
              <Row
                key={from + i}
                entry={entry}
                top={(from + i) * rowHeight}
                current={from + i === current}
                onPick={() => player.seek(entry.startMs)}
              />
            ))}
          </div>
        )}
      </div>
    </section>
  );
}

interface RowProps {
  entry: Entry;
  top: number;
  current: boolean;
  onPick: () => void;
}

function Row({ entry, top, current, onPick }: RowProps) {
  const Icon = icons[entry.kind];
  return (
    <div className={classes.row} style={{ top, height: rowHeight }}>
      <button
        type="button"
        className={classes.entry}
        data-kind={entry.kind}
        aria-current={current}
        title={entry.detail}
        onClick={onPick}
      >
        <span className={classes.at}>{clock(entry.startMs)}</span>
        <Icon className={classes.icon} size={17} stroke={1.6} aria-hidden="true" />
        <span className={classes.label}>
          {entry.label} {entry.actor && <span>· {entry.actor}</span>}
        </span>
        <span className={classes.detail}>{entry.detail}</span>
      </button>
      {entry.detail !== '' && (
        <ActionIcon
          className={classes.copy}
          variant="default"
          size="sm"
          aria-label={`Copy the text at ${clock(entry.startMs)}`}
          title="Copy the text"
          onClick={() => void navigator.clipboard.writeText(entry.detail)}
        >
          <IconCopy size={14} stroke={1.6} />
        </ActionIcon>
      )}
    </div>
  );
}
