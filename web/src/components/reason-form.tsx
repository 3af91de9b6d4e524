import { Button, Group, Textarea } from '@mantine/core';
import { useState, type KeyboardEvent, type SubmitEvent } from 'react';
import { timeLeft } from '../lib/format';
import { useNow } from '../lib/use-now';
import classes from './reason-form.module.css';
import { ProblemNotice } from './states';

interface ReasonFormProps {
  question: {
    rules: readonly { name: string; about?: string }[];
    /** What it is about; missing or empty where it is not told. */
    excerpt?: string;
    /** An act waits for the answer. */
    held: boolean;
    /** When an answer comes too late, by the clock of `Date.now`; null when never. */
    until: number | null;
  };
  busy: boolean;
  error: Error | null;
  onSay: (said: { reason: string } | { refuse: true }) => void;
}

/** What rules want to know, a place to say why, and the choice not to do it. */
export function ReasonForm({ question, busy, error, onSay }: ReasonFormProps) {
  const [reason, setReason] = useState('');
  const now = useNow(question.until !== null, 500);
  const ready = reason.trim() !== '' && !busy;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (ready) onSay({ reason: reason.trim() });
  }

  // Enter alone may have been meant for the desktop.
  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (ready) onSay({ reason: reason.trim() });
  }

  return (
    <form onSubmit={submit}>
      {question.rules.map((rule) => (
        <p key={rule.name} className={classes.rule}>
          <strong>{rule.name}</strong>
          {rule.about && <span>{rule.about}</span>}
        </p>
      ))}
      {question.excerpt && <pre className={`mono ${classes.excerpt ?? ''}`}>{question.excerpt}</pre>}
      <Textarea
        label="Reason"
        description={
          question.held
            ? 'It is done as soon as you have said why. Who supervises and who reviews the recording reads it.'
            : 'Who supervises and who reviews the recording reads it.'
        }
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        rows={3}
        maxLength={500}
        required
        data-autofocus
      />
      {question.until !== null && (
        <p className={classes.left}>
          <span role="timer" aria-live="off">
            {timeLeft(question.until - now)}
          </span>{' '}
          left to answer. Nothing you type or click arrives on the desktop before.
        </p>
      )}
      {error && (
        <div style={{ marginTop: 14 }}>
          <ProblemNotice error={error} />
        </div>
      )}
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" disabled={busy} onClick={() => onSay({ refuse: true })}>
          {question.held ? 'Do not do it' : 'No answer'}
        </Button>
        <Button type="submit" loading={busy} disabled={!ready}>
          {question.held ? 'Do it' : 'Answer'}
        </Button>
      </Group>
    </form>
  );
}
