import { useMemo, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { clock } from '../../lib/format';
import type { Entry } from '../../player/events';
import type { Stretch } from '../../player/timeline';
import { bucketMarkers } from './markers';
import classes from './timeline-bar.module.css';

interface TimelineBarProps {
  timeMs: number;
  durationMs: number;
  idle: readonly Stretch[];
  entries: readonly Entry[];
  onSeek: (ms: number) => void;
}

/** The whole recording as a line: what was played, where nothing happened, where something did. */
export function TimelineBar({ timeMs, durationMs, idle, entries, onSeek }: TimelineBarProps) {
  const [hover, setHover] = useState<number | null>(null);
  const total = Math.max(1, durationMs);
  const markers = useMemo(() => bucketMarkers(entries, total), [entries, total]);
  const percent = (ms: number) => `${(Math.min(ms, total) / total) * 100}%`;

  function timeOf(event: PointerEvent<HTMLElement>): number {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * total;
  }

  function onKeyDown(event: KeyboardEvent) {
    const to = { Home: 0, End: durationMs, PageUp: timeMs + 60_000, PageDown: timeMs - 60_000 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    onSeek(to);
  }

  return (
    <div
      className={classes.bar}
      role="slider"
      tabIndex={0}
      aria-label="Position in the recording"
      aria-valuemin={0}
      aria-valuemax={Math.round(durationMs / 1000)}
      aria-valuenow={Math.round(timeMs / 1000)}
      aria-valuetext={`${clock(timeMs)} of ${clock(durationMs)}`}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        onSeek(timeOf(event));
      }}
      onPointerMove={(event) => {
        const ms = timeOf(event);
        setHover(ms);
        if (event.buttons & 1) onSeek(ms);
      }}
      onPointerLeave={() => setHover(null)}
    >
      <svg className={classes.markers} viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">
        {markers.map((m) => (
          <line
            key={m.at}
            className={classes.marker}
            data-kind={m.kind}
            x1={m.at}
            x2={m.at}
            y1={14 - m.height}
            y2={14}
          />
        ))}
      </svg>
      <div className={classes.track}>
        <div className={classes.played} style={{ transform: `scaleX(${Math.min(1, timeMs / total)})` }} />
        {idle.map((s) => (
          <div
            key={s.start_ms}
            className={classes.idle}
            style={{ left: percent(s.start_ms), width: percent(s.end_ms - s.start_ms) }}
          />
        ))}
      </div>
      <div className={classes.thumb} style={{ transform: `translateX(${percent(timeMs)})` }} />
      {hover !== null && (
        <div className={classes.tip} style={{ left: percent(hover) }}>
          {clock(hover)}
        </div>
      )}
    </div>
  );
}
