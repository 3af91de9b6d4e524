import type { RecordingHit } from '../api/review';
import classes from './snippet.module.css';

/** The text around a hit, with what was looked for marked. */
export function Snippet({ hit }: { hit: RecordingHit }) {
  return (
    <span className={classes.snippet} data-kind={hit.kind}>
      {hit.snippet.map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text))}
    </span>
  );
}
