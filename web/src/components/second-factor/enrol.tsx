import { Button, Skeleton, TextInput } from '@mantine/core';
import { IconDeviceMobile, IconFingerprint } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import type { Me } from '../../api/client';
import type { Enrolment } from '../../api/sign-in';
import { hasPasskeys } from '../../lib/passkeys';
import { ProblemNotice } from '../states';
import { CodeForm } from './code-form';
import { RecoveryCodes } from './recovery-codes';
import classes from './second-factor.module.css';

interface EnrolProps {
  enrolment: Enrolment;
  methods: readonly string[];
  /** Chosen already; without it the person chooses. */
  method?: 'totp' | 'passkey';
  onDone: (me?: Me) => void;
  /** Takes over showing the recovery codes, where this may go away by itself. */
  onCodes?: (codes: string[], me?: Me) => void;
}

/** Leads through enrolling a second factor, and shows the recovery codes when there are any. */
export function Enrol({ enrolment, methods, method, onDone, onCodes }: EnrolProps) {
  const [chosen, setChosen] = useState(method);
  const [made, setMade] = useState<{ codes: string[]; me?: Me }>();

  function finish(result: { codes: string[]; me?: Me }) {
    if (result.codes.length === 0) onDone(result.me);
    else if (onCodes) onCodes(result.codes, result.me);
    else setMade(result);
  }

  if (made) return <RecoveryCodes codes={made.codes} onDone={() => onDone(made.me)} />;
  if (chosen) {
    const Step = chosen === 'totp' ? EnrolTOTP : EnrolPasskey;
    return (
      <>
        <Step enrolment={enrolment} onMade={finish} />
        {!method && methods.length > 1 && (
          <Button variant="subtle" size="xs" onClick={() => setChosen(undefined)}>
            Choose another
          </Button>
        )}
      </>
    );
  }
  return (
    <div className={classes.ways}>
      {methods.includes('passkey') && hasPasskeys() && (
        <Button size="md" leftSection={<IconFingerprint size={18} />} onClick={() => setChosen('passkey')}>
          Passkey or security key
        </Button>
      )}
      <Button
        size="md"
        variant="default"
        leftSection={<IconDeviceMobile size={18} />}
        onClick={() => setChosen('totp')}
      >
        Authenticator app
      </Button>
    </div>
  );
}

interface StepProps {
  enrolment: Enrolment;
  onMade: (result: { codes: string[]; me?: Me }) => void;
}

function EnrolTOTP({ enrolment, onMade }: StepProps) {
  // Each time it is shown it is another secret, so nothing is kept of it.
  const key = useQuery({
    queryKey: ['enrol', 'totp'],
    queryFn: enrolment.beginTOTP,
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
  const confirm = useMutation({ mutationFn: enrolment.confirmTOTP, onSuccess: onMade });
  if (key.error) return <ProblemNotice error={key.error} onRetry={() => void key.refetch()} />;
  return (
    <div className={classes.form}>
      <p className={classes.text}>Scan this with an authenticator app, then enter the code it shows.</p>
      {key.data ? (
        <img className={classes.qr} src={key.data.qr} alt="QR code for an authenticator app" />
      ) : (
        <Skeleton width={200} height={200} mx="auto" aria-hidden="true" />
      )}
      <details>
        <summary className={classes.text}>Cannot scan?</summary>
        <code className={`${classes.secret ?? ''} mono`} data-testid="totp-secret">
          {key.data?.secret.match(/.{1,4}/g)?.join(' ')}
        </code>
      </details>
      <CodeForm
        kind="totp"
        action="Confirm"
        busy={confirm.isPending}
        error={confirm.error}
        onCode={(code) => confirm.mutate(code)}
      />
    </div>
  );
}

function EnrolPasskey({ enrolment, onMade }: StepProps) {
  const [name, setName] = useState('');
  const make = useMutation({ mutationFn: enrolment.passkey, onSuccess: onMade });

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    make.mutate(name);
  }

  return (
    <form className={classes.form} onSubmit={submit}>
      <TextInput
        label="Name of the passkey"
        description="So that you know it again, such as “Blue key” or “Work laptop”."
        autoFocus
        required
        withAsterisk={false}
        maxLength={64}
        size="md"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      {make.error && <ProblemNotice error={make.error} />}
      <Button type="submit" size="md" loading={make.isPending}>
        Make the passkey
      </Button>
    </form>
  );
}
