import { Button, Group, Skeleton, Textarea, TextInput } from '@mantine/core';
import { useState, type SubmitEvent } from 'react';
import { Link } from 'react-router';
import { ProblemError } from '../../api/problem';
import { useFactors } from '../../api/sign-in';
import { StepUpForm } from '../../components/second-factor/step-up-form';
import { ProblemNotice } from '../../components/states';

/** What people give when a policy wants to know it. */
export interface Given {
  reason?: string | undefined;
  ticket?: string | undefined;
}

const needed = ['reason_needed', 'ticket_needed', 'mfa_needed'];

/** Tells whether the gateway wants something of the person before it connects: a reason, a ticket, a second factor. */
export function isNeeded(error: unknown): error is ProblemError {
  return error instanceof ProblemError && needed.includes(error.problem.code);
}

interface NeededFormProps {
  error: ProblemError;
  given: Given;
  back: string;
  onGive: (given: Given) => void;
  onBack: () => void;
}

/** Asks for what the gateway wants, and connects with it. */
export function NeededForm(props: NeededFormProps) {
  return props.error.problem.code === 'mfa_needed' ? <FactorForm {...props} /> : <WordsForm {...props} />;
}

/** Asks for a second factor; the gateway takes note of the proof by itself. */
function FactorForm({ back, onGive, onBack }: NeededFormProps) {
  const factors = useFactors();
  const none = factors.data && !factors.data.totp && factors.data.passkeys.length === 0;
  return (
    <>
      {factors.isPending && <Skeleton height={140} radius="md" aria-hidden="true" />}
      {factors.error && <ProblemNotice error={factors.error} onRetry={() => void factors.refetch()} />}
      {none && (
        <p>
          This desktop is opened only to people who prove a second factor, and you have none yet.{' '}
          <Link to="/account">Add one to your account</Link>, then connect again.
        </p>
      )}
      {factors.data && !none && (
        <StepUpForm factors={factors.data} onProved={() => onGive({})}>
          This desktop is opened only after a second factor was proved a moment ago.
        </StepUpForm>
      )}
      <Button variant="subtle" color="gray" mt="lg" onClick={onBack}>
        {back}
      </Button>
    </>
  );
}

/** Asks for a reason or a ticket. */
function WordsForm({ error, given, back, onGive, onBack }: NeededFormProps) {
  const ticket = error.problem.code === 'ticket_needed';
  const before = (ticket ? given.ticket : given.reason) ?? '';
  const [value, setValue] = useState(before);
  const pattern = error.problem.ticket_pattern;

  function submit(event: SubmitEvent) {
    event.preventDefault();
    onGive(ticket ? { ticket: value.trim() } : { reason: value.trim() });
  }

  return (
    <form onSubmit={submit}>
      {ticket ? (
        <TextInput
          label="Ticket"
          description="Of the change or incident you work on. It is written down with the session."
          placeholder={pattern ?? ''}
          error={before && value === before ? 'No ticket looks like this.' : undefined}
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
          maxLength={200}
          required
          data-autofocus
          autoFocus
        />
      ) : (
        <Textarea
          label="Reason"
          description="Why you need this desktop. It is written down with the session."
          value={value}
          onChange={(event) => setValue(event.currentTarget.value)}
          maxLength={500}
          minRows={2}
          autosize
          required
          data-autofocus
          autoFocus
        />
      )}
      <Group mt="lg" gap="sm">
        <Button type="submit" disabled={value.trim() === ''}>
          Connect
        </Button>
        <Button variant="subtle" color="gray" onClick={onBack}>
          {back}
        </Button>
      </Group>
    </form>
  );
}
