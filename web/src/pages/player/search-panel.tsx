import { ActionIcon, CloseButton, TextInput, Tooltip } from '@mantine/core';
import { IconChevronDown, IconChevronUp, IconFileSearch } from '@tabler/icons-react';
import { useSyncExternalStore } from 'react';
import { textKinds, type RecordingHit } from '../../api/review';
import { Snippet } from '../../components/snippet';
import { ProblemNotice } from '../../components/states';
import { clock, count } from '../../lib/format';
import { neighbour } from '../../player/heat';
import type { Player } from '../../player/player';
import classes from './event-list.module.css';
import own from './side-panel.module.css';

interface SearchPanelProps {
  player: Player;
  text: string;
  onText: (text: string) => void;
  hits: readonly RecordingHit[];
  more: boolean;
  busy: boolean;
  error: unknown;
}

/** Looks for what was typed, copied and shown in this recording, and leads from hit to hit. */
export function SearchPanel({ player, text, onText, hits, more, busy, error }: SearchPanelProps) {
  const times = hits.map((h) => h.t_ms);
  const current = useSyncExternalStore(player.store.subscribe, () => {
    const now = player.store.get().timeMs + 50;
    return times.findLastIndex((t) => t <= now);
  });
  const go = (direction: 1 | -1) => {
    const to = neighbour(times, player.store.get().timeMs, direction);
    if (to !== null) player.seek(to);
  };
  return (
    <div className={own.body}>
      <div className={classes.head}>
        <TextInput
          size="xs"
          type="search"
          aria-label="Search in this recording"
          placeholder="Typed, copied, shown…"
          maxLength={200}
          value={text}
          onChange={(event) => onText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            go(event.shiftKey ? -1 : 1);
          }}
          leftSection={<IconFileSearch size={14} stroke={1.6} />}
          rightSection={
            text ? <CloseButton size="xs" aria-label="Clear the search" onClick={() => onText('')} /> : null
          }
        />
        <Tooltip label="Hit before  (Shift+N)">
          <ActionIcon
            variant="subtle"
            color="gray"
            size={30}
            aria-label="Hit before"
            disabled={hits.length === 0}
            onClick={() => go(-1)}
          >
            <IconChevronUp size={17} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Next hit  (N)">
          <ActionIcon
            variant="subtle"
            color="gray"
            size={30}
            aria-label="Next hit"
            disabled={hits.length === 0}
            onClick={() => go(1)}
          >
            <IconChevronDown size={17} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </div>
      {error ? (
        <div className={classes.problem}>
          <ProblemNotice error={error} />
        </div>
      ) : null}
      <div className={own.scroll} role="list" aria-label="Hits">
        {text.trim() === '' && (
          <p className={classes.empty}>
            Parts of commands, paths and titles are found, whatever their case. “Several words” in quotes stay
            together.
          </p>
        )}
        {text.trim() !== '' && !busy && hits.length === 0 && !error && (
          <p className={classes.empty}>Nothing in this recording matches.</p>
        )}
        {hits.map((hit, i) => (
          <div key={i} role="listitem">
            <button
              type="button"
              className={own.hit}
              aria-current={i === current}
              onClick={() => player.seek(hit.t_ms)}
            >
              <span className={classes.at}>{clock(hit.t_ms)}</span>
              <span className={own.what}>
                {textKinds.find((k) => k.value === hit.kind)?.label} {hit.actor && <span>· {hit.actor}</span>}
              </span>
              <Snippet hit={hit} />
            </button>
          </div>
        ))}
      </div>
      {hits.length > 0 && (
        <p className={own.foot} role="status">
          {more ? `The first ${hits.length} hits` : count(hits.length, 'hit')}
        </p>
      )}
    </div>
  );
}
