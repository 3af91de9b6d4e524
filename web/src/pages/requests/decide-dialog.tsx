import { Button, Group, Modal, SegmentedControl, Textarea, TextInput } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { useApprove, useDeny, useReview, type AccessRequest } from '../../api/access';
import { ProblemNotice } from '../../components/states';
import { duration } from '../../lib/format';
import accessClasses from '../access/access.module.css';
import { RequestDetails } from '../access/details';
import { fromLocalInput, lengthOf, localInput } from '../access/format';

export type Verdict = 'approve' | 'deny' | 'review';

interface DecideDialogProps {
  /** null: closed. */
  request: AccessRequest | null;
  verdict: Verdict;
  onClose: () => void;
}

const titles = {
  approve: 'Approve this request',
  deny: 'Deny this request',
  review: 'Review this break-glass access',
};

/** Says yes, perhaps to less time, no with a note, or that somebody has looked. */
export function DecideDialog({ request, verdict, onClose }: DecideDialogProps) {
  return (
    <Modal opened={request !== null} onClose={onClose} title={titles[verdict]} size="lg">
      {request && <Form key={request.id + verdict} request={request} verdict={verdict} onClose={onClose} />}
    </Modal>
  );
}

function Form({
  request,
  verdict,
  onClose,
}: {
  request: AccessRequest;
  verdict: Verdict;
  onClose: () => void;
}) {
  const approve = useApprove();
  const deny = useDeny();
  const review = useReview();
  const shorter = useShorter(request);
  const [note, setNote] = useState('');
  const busy = approve.isPending || deny.isPending || review.isPending;
  const error = approve.error ?? deny.error ?? review.error;
  const ready = verdict === 'approve' ? !shorter.wrong : note.trim() !== '';

  function submit(event: SubmitEvent) {
    event.preventDefault();
    if (!ready) return;
    const on = { id: request.id, revision: request.revision };
    const then = { onSuccess: onClose };
    if (verdict === 'approve')
      approve.mutate({ ...on, ...shorter.body, ...(note.trim() ? { note } : {}) }, then);
    else if (verdict === 'deny') deny.mutate({ ...on, note }, then);
    else review.mutate({ ...on, note }, then);
  }

  return (
    <form onSubmit={submit} className={accessClasses.form}>
      <RequestDetails request={request} />
      {verdict === 'approve' && shorter.field}
      <Textarea
        label={
          verdict === 'approve'
            ? 'A word about it, if you like'
            : verdict === 'deny'
              ? 'Why not'
              : 'What you found'
        }
        description={`${request.user.name} reads it.`}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
        rows={2}
        maxLength={1000}
        required={verdict !== 'approve'}
        data-autofocus
      />
      {error && <ProblemNotice error={error} />}
      <Group justify="flex-end" gap="sm">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          type="submit"
          loading={busy}
          disabled={!ready}
          {...(verdict === 'deny' ? { color: 'brick' } : {})}
        >
          {verdict === 'approve' ? 'Approve' : verdict === 'deny' ? 'Deny' : 'Mark as reviewed'}
        </Button>
      </Group>
    </form>
  );
}

/** A field that shortens the window, what it says for the API, and whether it makes sense. */
function useShorter(request: AccessRequest) {
  const whole = lengthOf(request.window);
  const [length, setLength] = useState(String(whole / 1000));
  const [from, setFrom] = useState(() => localInput(new Date(request.window.from)));
  const [until, setUntil] = useState(() => localInput(new Date(request.window.until)));

  if (request.floating) {
    const parts = [whole / 4, whole / 2, whole]
      .filter((ms) => ms >= 60_000)
      .map((ms) => Math.round(ms / 1000));
    return {
      wrong: null,
      body: Number(length) * 1000 < whole ? { duration_s: Number(length) } : {},
      field: (
        <div>
          <div className={accessClasses.label} id="decide-length">
            For how long
          </div>
          <SegmentedControl
            fullWidth
            aria-labelledby="decide-length"
            value={length}
            onChange={setLength}
            data={parts.map((s) => ({ value: String(s), label: duration(s * 1000) }))}
          />
        </div>
      ),
    };
  }
  // Inputs have minutes only: one that was not touched stays as it was asked for, to the second.
  const begin = from === localInput(new Date(request.window.from)) ? undefined : fromLocalInput(from);
  const end = until === localInput(new Date(request.window.until)) ? undefined : fromLocalInput(until);
  const newFrom = begin?.getTime() ?? Date.parse(request.window.from);
  const newUntil = end?.getTime() ?? Date.parse(request.window.until);
  const wrong =
    newFrom < Date.parse(request.window.from) || newUntil > Date.parse(request.window.until)
      ? 'It can be made shorter, not longer.'
      : newUntil - newFrom < 60_000
        ? 'Too little is left.'
        : null;
  return {
    wrong,
    body: { ...(begin ? { from: begin.toISOString() } : {}), ...(end ? { until: end.toISOString() } : {}) },
    field: (
      <div className={accessClasses.pair}>
        <TextInput
          type="datetime-local"
          label="From"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="datetime-local"
          label="Until"
          value={until}
          error={wrong}
          onChange={(event) => setUntil(event.currentTarget.value)}
        />
      </div>
    ),
  };
}
