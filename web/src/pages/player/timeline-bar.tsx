import { useDebouncedValue } from '@mantine/hooks';
import { useMemo, useState, type KeyboardEvent, type PointerEvent } from 'react';
import type { RecordingHit, RecordingNote, Timeline } from '../../api/review';
import { clock } from '../../lib/format';
import { areaPath, follow, heatOf, zoom, type Window } from '../../player/heat';
import type { Stretch } from '../../player/timeline';
import { bucketMarkers, markerNames, markerNear } from './markers';
import classes from './timeline-bar.module.css';

interface TimelineBarProps {
  timeMs: number;
  durationMs: number;
  idle: readonly Stretch[];
  timeline: Timeline | undefined;
  hits: readonly RecordingHit[];
  notes: readonly RecordingNote[];
  /** Where a small picture of a moment is. */
  pictureAt: (ms: number) => string;
  onSeek: (ms: number) => void;
}

const columns = 250;
const heatHeight = 24;
/** Small pictures are asked for by the time rounded to this, in milliseconds: there is one every 30 s at most. */
const pictureStep = 5000;
/** ... and when the pointer has rested so long, in milliseconds. */
const pictureRest = 120;
/** Notes with a pin of their own; more would hide each other. */
const maxPins = 200;

/**
 * The whole recording as a line, or a window of it: what was played, where nothing happened, how much happened where
 * something did, and what. Plus and minus zoom around the moment that is shown.
 */
export function TimelineBar({
  timeMs,
  durationMs,
  idle,
  timeline,
  hits,
  notes,
  pictureAt,
  onSeek,
}: TimelineBarProps) {
  const [hover, setHover] = useState<number | null>(null);
  /** Null: all of it, also while it grows. */
  const [chosen, setChosen] = useState<Window | null>(null);
  const total = Math.max(1, durationMs);
  const view = useMemo(
    () => (chosen ? follow(chosen, timeMs, total) : { from: 0, to: total }),
    [chosen, timeMs, total],
  );
  const length = view.to - view.from;
  const { from, to } = view;
  const markers = useMemo(() => bucketMarkers(timeline?.markers ?? [], { from, to }), [timeline, from, to]);
  const heat = useMemo(() => {
    if (!timeline) return null;
    const { picture, input } = heatOf(timeline, { from, to }, columns);
    return { picture: areaPath(picture, heatHeight), input: areaPath(input, heatHeight) };
  }, [timeline, from, to]);
  const share = (ms: number) => Math.min(1, Math.max(0, (ms - from) / length));
  const percent = (ms: number) => `${share(ms) * 100}%`;
  const seen = (ms: number) => ms >= from && ms <= to;

  function timeOf(event: { clientX: number; currentTarget: HTMLElement }): number {
    const box = event.currentTarget.getBoundingClientRect();
    return from + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * length;
  }

  function zoomBy(factor: number, at: number) {
    const next = zoom(view, factor, at, total);
    setChosen(next.to - next.from >= total ? null : next);
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === '+' || event.key === '=' || event.key === '-') {
      event.preventDefault();
      zoomBy(event.key === '-' ? 2 : 0.5, timeMs);
      return;
    }
    const jump = { Home: 0, End: durationMs, PageUp: timeMs + 60_000, PageDown: timeMs - 60_000 }[event.key];
    if (jump === undefined) return;
    event.preventDefault();
    onSeek(jump);
  }

  const [rested] = useDebouncedValue(
    hover === null ? null : Math.ceil(hover / pictureStep) * pictureStep,
    pictureRest,
  );
  const near = hover === null ? null : markerNear(timeline?.markers ?? [], hover, length / 120);
  return (
    <div className={classes.frame}>
      {chosen && (
        <div className={classes.overview} aria-hidden="true">
          <div style={{ left: `${(from / total) * 100}%`, width: `${(length / total) * 100}%` }} />
        </div>
      )}
      <div className={classes.pins}>
        {notes
          .filter((n) => seen(n.t_ms))
          .slice(0, maxPins)
          .map((n) => (
            <button
              key={n.id}
              type="button"
              className={classes.pin}
              style={{ left: percent(n.t_ms) }}
              aria-label={`Note of ${n.by} at ${clock(n.t_ms)}: ${n.text}`}
              title={`${n.by}: ${n.text}`}
              onClick={() => onSeek(n.t_ms)}
            />
          ))}
      </div>
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
        onPointerMove={(event: PointerEvent<HTMLElement>) => {
          const ms = timeOf(event);
          setHover(ms);
          if (event.buttons & 1) onSeek(ms);
        }}
        onPointerLeave={() => setHover(null)}
        onWheel={(event) => {
          if (event.deltaY === 0) return;
          zoomBy(event.deltaY > 0 ? 1.25 : 0.8, timeOf(event));
        }}
      >
        {heat && (
          <svg
            className={classes.heat}
            viewBox={`0 0 ${columns} ${heatHeight}`}
            preserveAspectRatio="none"
            aria-hidden="true"
          >
            <path className={classes.picture} d={heat.picture} />
            <path className={classes.input} d={heat.input} />
          </svg>
        )}
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
        <svg className={classes.hits} viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
          {hits
            .filter((h) => seen(h.t_ms))
            .map((h, i) => (
              <line key={i} x1={share(h.t_ms) * 1000} x2={share(h.t_ms) * 1000} y1={0} y2={10} />
            ))}
        </svg>
        <div className={classes.track}>
          <div className={classes.played} style={{ transform: `scaleX(${share(timeMs)})` }} />
          {idle
            .filter((s) => s.end_ms > from && s.start_ms < to)
            .map((s) => (
              <div
                key={s.start_ms}
                className={classes.idle}
                style={{
                  left: percent(s.start_ms),
                  width: `${(share(s.end_ms) - share(s.start_ms)) * 100}%`,
                }}
              />
            ))}
        </div>
        <div className={classes.thumb} style={{ transform: `translateX(${percent(timeMs)})` }} />
        {hover !== null && (
          <div
            className={classes.tip}
            style={{ left: `clamp(116px, ${percent(hover)}, calc(100% - 116px))` }}
          >
            {rested !== null && <Preview key={rested} src={pictureAt(rested)} />}
            <span>{clock(hover)}</span>
            {near && (
              <span className={classes.near}>
                {markerNames[near.kind]}
                {near.text ? `: ${near.text}` : ''}
              </span>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** The desktop at a moment, where the recording has a picture of it. */
function Preview({ src }: { src: string }) {
  const [there, setThere] = useState(false);
  return (
    <img
      className={classes.preview}
      src={src}
      alt=""
      hidden={!there}
      onLoad={() => setThere(true)}
      onError={() => setThere(false)}
    />
  );
}
