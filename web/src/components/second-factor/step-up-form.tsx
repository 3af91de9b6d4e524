import { Button } from '@mantine/core';
import { IconFingerprint } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { changes, useFactorChange, type Factors } from '../../api/sign-in';
import { hasPasskeys } from '../../lib/passkeys';
import { ProblemNotice } from '../states';
import { CodeForm } from './code-form';
import form from './second-factor.module.css';

interface StepUpFormProps {
  factors: Factors;
  /** Why it is asked for. */
  children: ReactNode;
  onProved: () => void;
}

/** Asks somebody who is signed in to prove a second factor again. */
export function StepUpForm({ factors, children, onProved }: StepUpFormProps) {
  const [recovery, setRecovery] = useState(false);
  const code = useFactorChange(recovery || !factors.totp ? changes.stepUpByRecovery : changes.stepUpByCode);
  const passkey = useFactorChange(changes.stepUpByPasskey);
  const passkeys =
    factors.available.includes('passkey') && factors.passkeys.some((p) => !p.cloned) && hasPasskeys();
  return (
    <div className={form.form}>
      <p className={form.text}>{children}</p>
      {passkeys && (
        <>
          {passkey.error && <ProblemNotice error={passkey.error} />}
          <Button
            loading={passkey.isPending}
            leftSection={<IconFingerprint size={18} />}
            onClick={() => passkey.mutate(undefined, { onSuccess: onProved })}
          >
            Use your passkey
          </Button>
          <div className={form.or}>or</div>
        </>
      )}
      <CodeForm
        key={String(recovery)}
        kind={recovery || !factors.totp ? 'recovery' : 'totp'}
        action="Go on"
        busy={code.isPending}
        error={code.error}
        onCode={(c) => code.mutate(c, { onSuccess: onProved })}
      />
      {factors.totp && (
        <Button variant="subtle" size="xs" onClick={() => setRecovery(!recovery)}>
          {recovery ? 'Use the authenticator app' : 'Use a recovery code'}
        </Button>
      )}
    </div>
  );
}
