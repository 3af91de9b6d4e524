import { ActionIcon, Button, Group, Textarea, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconPencil, IconTrash } from '@tabler/icons-react';
import { useState, useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import {
  nextToReviewQuery,
  reviewQuery,
  reviewStates,
  useNotes,
  useSetReview,
  type RecordingNote,
} from '../../api/review';
import { Confirm } from '../../components/confirm';
import { ProblemNotice } from '../../components/states';
import { clock, fullTime, when } from '../../lib/format';
import type { Player } from '../../player/player';
import classes from './event-list.module.css';
import own from './side-panel.module.css';

/** The longest note, in characters. */
const maxNote = 2000;

interface NotesPanelProps {
  player: Player;
  session: string;
  notes: readonly RecordingNote[];
  error: unknown;
}

/** How far the review is, and what reviewers wrote about moments. */
export function NotesPanel({ player, session, notes, error }: NotesPanelProps) {
  const acts = useNotes(session);
  const [deleting, setDeleting] = useState<RecordingNote | null>(null);
  return (
    <section className={own.body} aria-label="Review">
      <div className={own.scroll}>
        <ReviewState session={session} />
        {error ? (
          <div className={classes.problem}>
            <ProblemNotice error={error} />
          </div>
        ) : null}
        {notes.length === 0 && !error && (
          <p className={classes.empty}>No notes yet. What you write is kept with the moment that is shown.</p>
        )}
        {notes.map((note) => (
          <Note
            key={note.id}
            note={note}
            onGo={() => player.seek(note.t_ms)}
            onChange={(text) => acts.change.mutateAsync({ note: note.id, text })}
            onDelete={() => setDeleting(note)}
          />
        ))}
      </div>
      <Write player={player} onWrite={(t_ms, text) => acts.add.mutateAsync({ t_ms, text })} />
      <Confirm
        opened={deleting !== null}
        title="Delete the note?"
        action="Delete"
        busy={acts.remove.isPending}
        error={acts.remove.error}
        onConfirm={() => deleting && acts.remove.mutate(deleting.id, { onSuccess: () => setDeleting(null) })}
        onClose={() => setDeleting(null)}
      >
        It goes from the recording; the audit log keeps what it said.
      </Confirm>
    </section>
  );
}

function ReviewState({ session }: { session: string }) {
  const { data, error } = useQuery(reviewQuery(session));
  const next = useQuery(nextToReviewQuery(session));
  const set = useSetReview(session);
  const [open, setOpen] = useState(false);
  const last = data?.history[0];
  return (
    <div className={own.review}>
      <div className={own.states} role="group" aria-label="Review state">
        {reviewStates.map(({ value, label }) => (
          <Button
            key={value}
            size="compact-sm"
            variant={data?.state === value ? 'light' : 'default'}
            color={value === 'flagged' && data?.state === value ? 'brick' : 'verdigris'}
            aria-pressed={data?.state === value}
            loading={set.isPending && set.variables.state === value}
            onClick={() => data?.state !== value && set.mutate({ state: value })}
          >
            {label}
          </Button>
        ))}
        {next.data && (
          <Button
            component={Link}
            to={`/recordings/${next.data.session.id}`}
            size="compact-sm"
            variant="subtle"
            ml="auto"
          >
            Next to review
          </Button>
        )}
      </div>
      {(error ?? set.error) ? <ProblemNotice error={error ?? set.error} /> : null}
      {last ? (
        <p className={own.said}>
          {last.by}, <span title={fullTime(last.at)}>{when(last.at)}</span>
          {data.history.length > 1 && (
            <Button size="compact-xs" variant="subtle" ml={6} onClick={() => setOpen(!open)}>
              {open ? 'Hide' : 'History'}
            </Button>
          )}
        </p>
      ) : (
        data && <p className={own.said}>Nobody has reviewed this recording yet.</p>
      )}
      {open && (
        <ul className={own.history}>
          {data?.history.map((act, i) => (
            <li key={i}>
              {reviewStates.find((s) => s.value === act.state)?.label} · {act.by},{' '}
              <span title={fullTime(act.at)}>{when(act.at)}</span>
              {act.comment && <div>{act.comment}</div>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface NoteProps {
  note: RecordingNote;
  onGo: () => void;
  onChange: (text: string) => Promise<unknown>;
  onDelete: () => void;
}

function Note({ note, onGo, onChange, onDelete }: NoteProps) {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  return (
    <article className={own.note} aria-label={`Note at ${clock(note.t_ms)}`}>
      <header>
        <button type="button" className={own.time} onClick={onGo}>
          {clock(note.t_ms)}
        </button>
        <span title={fullTime(note.created_at)}>
          {note.by}, {when(note.created_at)}
          {note.edited_at && ' (edited)'}
        </span>
        {note.own && text === null && (
          <>
            <Tooltip label="Change the note">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label="Change the note"
                onClick={() => setText(note.text)}
              >
                <IconPencil size={15} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
            <Tooltip label="Delete the note">
              <ActionIcon
                variant="subtle"
                color="gray"
                size="sm"
                aria-label="Delete the note"
                onClick={onDelete}
              >
                <IconTrash size={15} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
          </>
        )}
      </header>
      {text === null ? (
        <p>{note.text}</p>
      ) : (
        <>
          <Textarea
            mt={6}
            autosize
            maxRows={8}
            maxLength={maxNote}
            aria-label="The note"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <Group gap="xs" mt={6} justify="flex-end">
            <Button size="compact-sm" variant="default" onClick={() => setText(null)}>
              Cancel
            </Button>
            <Button
              size="compact-sm"
              disabled={text.trim() === ''}
              onClick={() => void onChange(text).then(() => setText(null), setError)}
            >
              Save
            </Button>
          </Group>
          {error ? <ProblemNotice error={error} /> : null}
        </>
      )}
    </article>
  );
}

interface WriteProps {
  player: Player;
  onWrite: (t_ms: number, text: string) => Promise<unknown>;
}

function Write({ player, onWrite }: WriteProps) {
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const second = useSyncExternalStore(player.store.subscribe, () =>
    Math.floor(player.store.get().timeMs / 1000),
  );

  async function write() {
    setBusy(true);
    setError(null);
    try {
      await onWrite(Math.round(player.store.get().timeMs), text);
      setText('');
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className={own.write}>
      <Textarea
        aria-label="Write a note"
        placeholder="Write a note about this moment"
        autosize
        minRows={2}
        maxRows={6}
        maxLength={maxNote}
        value={text}
        onFocus={() => player.pause()}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button size="xs" disabled={text.trim() === ''} loading={busy} onClick={() => void write()}>
        Add note at {clock(second * 1000)}
      </Button>
      {error ? <ProblemNotice error={error} /> : null}
    </div>
  );
}
