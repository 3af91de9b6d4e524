import { ActionIcon, Button, Tooltip } from '@mantine/core';
import {
  IconArrowsMaximize,
  IconArrowsMinimize,
  IconEye,
  IconPinnedFilled,
  IconPinnedOff,
  IconPlugX,
  IconRewindBackward30,
} from '@tabler/icons-react';
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { Session } from '../../api/client';
import { useCan, useMe } from '../../api/me';
import { Logo } from '../../components/logo';
import { bitrate } from '../../lib/format';
import type { DisplayMode } from '../../viewer/geometry';
import type { Viewer } from '../../viewer/viewer';
import { ClipboardPanel } from './clipboard-panel';
import { KeysMenu } from './keys-menu';
import { ModeControl } from './mode-control';
import { Presence } from './presence';
import { Supervise } from './supervise';
import classes from './toolbar.module.css';
import type { Desktop } from './use-desktop';

interface ToolbarProps {
  desktop: Desktop;
  session: Session;
  docked: boolean;
  mode: DisplayMode;
  fullScreen: boolean;
  onDock: () => void;
  onMode: (mode: DisplayMode) => void;
  onFullScreen: () => void;
  onLeave: () => void;
}

/** The strip of tools: docked above the desktop, or hidden at the window's upper edge until it is wanted. */
export function Toolbar(props: ToolbarProps) {
  const { desktop, session, docked, mode, fullScreen, onDock, onMode, onFullScreen, onLeave } = props;
  const { role, phase } = useSyncExternalStore(desktop.viewer.store.subscribe, desktop.viewer.store.get);
  const frame = useRef<HTMLDivElement>(null);
  const control = role === 'control';
  const foreign = session.user.id !== useMe().id;
  const over = phase.name === 'ended' || phase.name === 'refused';

  // Ctrl+Alt+Shift leads from the desktop to the tools.
  useEffect(
    () => desktop.stage.watchEscape(() => frame.current?.querySelector<HTMLElement>('button, a')?.focus()),
    [desktop],
  );

  const dockLabel = docked ? 'Hide these tools by themselves' : 'Keep these tools in sight';
  return (
    <Frame docked={docked} frame={frame}>
      <div className={classes.bar} data-foreign={foreign} role="toolbar" aria-label="Desktop tools">
        <div className={classes.title}>
          <Link
            to="/targets"
            aria-label="Back to the targets; the session goes on"
            style={{ color: 'inherit', display: 'flex' }}
          >
            <Logo size={22} />
          </Link>
          <span className={classes.name}>{session.target.name}</span>
        </div>
        {!control && !over && <Watching session={session} viewer={desktop.viewer} />}
        {docked && !over && <Presence viewer={desktop.viewer} />}
        {foreign && !over && <Supervise desktop={desktop} session={session} />}
        {docked && <div className={classes.spring} />}
        {!over && (
          <>
            <Figures viewer={desktop.viewer} />
            <div className={classes.rule} />
            <ModeControl mode={mode} viewer={desktop.viewer} onMode={onMode} />
            <div className={classes.rule} />
          </>
        )}
        {control && !over && (
          <>
            <KeysMenu desktop={desktop} />
            <ClipboardPanel desktop={desktop} />
          </>
        )}
        <Tool
          label={fullScreen ? 'Leave full screen' : 'Full screen, all keys to the desktop'}
          onClick={onFullScreen}
        >
          {fullScreen ? (
            <IconArrowsMinimize size={18} stroke={1.6} />
          ) : (
            <IconArrowsMaximize size={18} stroke={1.6} />
          )}
        </Tool>
        {!fullScreen && (
          <Tool label={dockLabel} onClick={onDock} className={classes.hideSmall ?? ''}>
            {docked ? <IconPinnedFilled size={17} stroke={1.6} /> : <IconPinnedOff size={17} stroke={1.6} />}
          </Tool>
        )}
        {!over && (
          <Button
            size="compact-sm"
            ml={4}
            variant="light"
            color="brick"
            leftSection={<IconPlugX size={16} stroke={1.7} />}
            onClick={onLeave}
          >
            Disconnect
          </Button>
        )}
      </div>
    </Frame>
  );
}

interface FrameProps {
  docked: boolean;
  frame: React.RefObject<HTMLDivElement | null>;
  children: ReactNode;
}

function Frame({ docked, frame, children }: FrameProps) {
  const [shown, setShown] = useState(true);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);

  function keep() {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    setShown(true);
  }

  function hideSoon(ms: number) {
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = setTimeout(() => setShown(false), ms);
  }

  // Shown at first, so that people learn where the tools went.
  useEffect(() => {
    if (docked) return;
    hideSoon(2500);
    return () => {
      if (timer.current !== null) clearTimeout(timer.current);
    };
  }, [docked]);

  if (docked) {
    return (
      <div ref={frame} style={{ gridRow: 1 }}>
        {children}
      </div>
    );
  }
  return (
    <div
      ref={frame}
      className={classes.float}
      data-shown={shown}
      onPointerEnter={keep}
      onPointerLeave={() => hideSoon(600)}
    >
      {children}
      <button type="button" className={classes.handle} aria-label="Show the desktop tools" onClick={keep} />
    </div>
  );
}

interface ToolProps {
  label: string;
  onClick: () => void;
  className?: string;
  children: ReactNode;
}

function Tool({ label, onClick, className, children }: ToolProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={onClick}
        {...(className ? { className } : {})}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

/** Half a minute ago, in seconds since the session began. */
function rewound(session: Session): number {
  return Math.max(0, Math.round((Date.now() - Date.parse(session.started_at)) / 1000) - 30);
}

function Watching({ session, viewer }: { session: Session; viewer: Viewer }) {
  const me = useMe();
  const { roleMessage, over: taken } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  const can = useCan();
  const mine = session.user.id === me.id;
  return (
    <>
      <span className={classes.watching} title={roleMessage || undefined}>
        <IconEye size={15} stroke={1.7} />
        {mine ? 'View only' : `Watching ${session.user.name}`}
      </span>
      {!mine && can('replay') && (
        <Button
          component={Link}
          to={`/recordings/${session.id}?t=${rewound(session)}`}
          size="compact-sm"
          variant="subtle"
          color="gray"
          leftSection={<IconRewindBackward30 size={16} stroke={1.7} />}
        >
          Rewind
        </Button>
      )}
      {mine && !taken && (
        <Button size="compact-sm" variant="light" onClick={() => viewer.takeControl()}>
          Take control
        </Button>
      )}
    </>
  );
}

function Figures({ viewer }: { viewer: Viewer }) {
  const { figures, phase } = useSyncExternalStore(viewer.store.subscribe, viewer.store.get);
  if (phase.name !== 'live') return null;
  return (
    <div className={classes.figures}>
      <span title="Round trip to the gateway">
        {figures.latencyMs === null
          ? ''
          : `${figures.latencyMs < 10 ? figures.latencyMs.toFixed(1) : Math.round(figures.latencyMs)} ms`}
      </span>
      <span title="Pictures a second; a still desktop sends none">
        {figures.fps < 0.5 ? 'still' : `${Math.round(figures.fps)} fps`}
      </span>
      <span title="Video received" style={{ minWidth: 72 }}>
        {bitrate(figures.bitrate)}
      </span>
    </div>
  );
}
