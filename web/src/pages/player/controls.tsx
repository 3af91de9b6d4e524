import { ActionIcon, Menu, Button, Switch, Tooltip } from '@mantine/core';
import {
  IconArrowsMaximize,
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerTrackNext,
  IconPlayerTrackPrev,
} from '@tabler/icons-react';
import { useSyncExternalStore, type ReactNode } from 'react';
import type { PlayerIndex } from '../../api/client';
import { clockTenths, clock } from '../../lib/format';
import type { Entry } from '../../player/events';
import { rates, type Player } from '../../player/player';
import classes from './controls.module.css';
import { TimelineBar } from './timeline-bar';

interface ControlsProps {
  player: Player;
  index: PlayerIndex;
  entries: readonly Entry[];
  onFullScreen: () => void;
}

export function Controls({ player, index, entries, onFullScreen }: ControlsProps) {
  const state = useSyncExternalStore(player.store.subscribe, player.store.get);
  return (
    <div className={classes.controls}>
      <TimelineBar
        timeMs={state.timeMs}
        durationMs={state.durationMs}
        idle={index.idle}
        entries={entries}
        onSeek={(ms) => player.seek(ms)}
      />
      <div className={classes.row} role="toolbar" aria-label="Playback">
        <Tool label="Picture before  (,)" onClick={() => void player.step(-1)}>
          <IconPlayerTrackPrev size={17} stroke={1.6} />
        </Tool>
        <Tool
          label={state.playing ? 'Pause  (space)' : 'Play  (space)'}
          onClick={() => player.toggle()}
          filled
        >
          {state.playing ? <IconPlayerPauseFilled size={18} /> : <IconPlayerPlayFilled size={18} />}
        </Tool>
        <Tool label="Next picture  (.)" onClick={() => void player.step(1)}>
          <IconPlayerTrackNext size={17} stroke={1.6} />
        </Tool>
        <div className={classes.time} data-testid="player-time">
          {state.playing ? clock(state.timeMs) : clockTenths(state.timeMs)}{' '}
          <span>/ {clock(state.durationMs)}</span>
        </div>
        {state.live && (
          <button
            type="button"
            className={classes.live}
            aria-pressed={state.atEdge}
            onClick={() => player.goLive()}
          >
            {state.atEdge ? 'Live' : 'Go live'}
          </button>
        )}
        <div className={classes.spring} />
        <Tooltip label="Jump over time in which nothing happened  (S)">
          <div className={classes.wide}>
            <Switch
              size="xs"
              label="Skip idle time"
              checked={state.skipIdle}
              onChange={(event) => player.setSkipIdle(event.currentTarget.checked)}
            />
          </div>
        </Tooltip>
        <Menu position="top-end" width={110}>
          <Menu.Target>
            <Button
              variant="subtle"
              color="gray"
              size="compact-sm"
              ml={8}
              aria-label={`Speed ${state.rate} times`}
            >
              {state.rate}×
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {rates.map((rate) => (
              <Menu.Item key={rate} fw={rate === state.rate ? 600 : 400} onClick={() => player.setRate(rate)}>
                {rate}×
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
        <Tool label="Full screen  (F)" onClick={onFullScreen}>
          <IconArrowsMaximize size={17} stroke={1.6} />
        </Tool>
      </div>
    </div>
  );
}

interface ToolProps {
  label: string;
  filled?: boolean;
  onClick: () => void;
  children: ReactNode;
}

function Tool({ label, filled = false, onClick, children }: ToolProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant={filled ? 'light' : 'subtle'}
        color={filled ? 'verdigris' : 'gray'}
        size="lg"
        radius={filled ? 'xl' : 'sm'}
        aria-label={label.replace(/ {2}\(.*\)$/, '')}
        onClick={onClick}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}
