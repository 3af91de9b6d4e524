import { ActionIcon, Menu, Button, Switch, Tooltip } from '@mantine/core';
import {
  IconArrowsMaximize,
  IconKeyboard,
  IconLink,
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerTrackNext,
  IconPlayerTrackPrev,
} from '@tabler/icons-react';
import { useSyncExternalStore, type ReactNode } from 'react';
import type { PlayerIndex } from '../../api/client';
import { clockTenths, clock, duration } from '../../lib/format';
import type { RecordingHit, RecordingNote, Timeline } from '../../api/review';
import { rates, type Player } from '../../player/player';
import classes from './controls.module.css';
import { GoTo } from './go-to';
import { TimelineBar } from './timeline-bar';

interface ControlsProps {
  player: Player;
  index: PlayerIndex;
  timeline: Timeline | undefined;
  hits: readonly RecordingHit[];
  notes: readonly RecordingNote[];
  pictureAt: (ms: number) => string;
  goingTo: boolean;
  onGoTo: (opened: boolean) => void;
  onFullScreen: () => void;
  onCopyLink: () => void;
  onHelp: () => void;
}

export function Controls(props: ControlsProps) {
  const {
    player,
    index,
    timeline,
    hits,
    notes,
    pictureAt,
    goingTo,
    onGoTo,
    onFullScreen,
    onCopyLink,
    onHelp,
  } = props;
  const state = useSyncExternalStore(player.store.subscribe, player.store.get);
  return (
    <div className={classes.controls}>
      <TimelineBar
        timeMs={state.timeMs}
        durationMs={state.durationMs}
        idle={index.idle}
        timeline={timeline}
        hits={hits}
        notes={notes}
        pictureAt={pictureAt}
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
        <GoTo
          opened={goingTo}
          onOpened={onGoTo}
          onGo={(ms) => player.seek(ms)}
          className={classes.time ?? ''}
        >
          {state.playing ? clock(state.timeMs) : clockTenths(state.timeMs)}{' '}
          <span>/ {clock(state.durationMs)}</span>
        </GoTo>
        {state.live && (
          <button
            type="button"
            className={classes.live}
            aria-pressed={state.atEdge}
            onClick={() => player.goLive()}
          >
            {state.atEdge ? 'Live' : 'Go live'}
            {!state.atEdge && (
              <span className={classes.behind}>{duration(state.durationMs - state.timeMs)} behind</span>
            )}
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
        <Tool label="Copy a link to this moment  (C)" onClick={onCopyLink}>
          <IconLink size={17} stroke={1.6} />
        </Tool>
        <Tool label="Keys  (?)" onClick={onHelp}>
          <IconKeyboard size={17} stroke={1.6} />
        </Tool>
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
