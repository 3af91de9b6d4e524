import { Button } from '@mantine/core';
import { IconDeviceMobile, IconFingerprint, IconLifebuoy } from '@tabler/icons-react';
import { useState } from 'react';
import type { Me } from '../../api/client';
import {
  firstEnrolment,
  useCodeSignIn,
  useForgetPending,
  usePasskeySignIn,
  useSignedIn,
  type FactorMethod,
  type SignInPending,
} from '../../api/sign-in';
import { toProblem } from '../../api/problem';
import { CodeForm } from '../../components/second-factor/code-form';
import { Enrol } from '../../components/second-factor/enrol';
import form from '../../components/second-factor/second-factor.module.css';
import { ProblemNotice } from '../../components/states';
import { hasPasskeys } from '../../lib/passkeys';

const other: Record<FactorMethod, { label: string; icon: typeof IconDeviceMobile }> = {
  passkey: { label: 'Use a passkey', icon: IconFingerprint },
  totp: { label: 'Use an authenticator app', icon: IconDeviceMobile },
  recovery: { label: 'Use a recovery code', icon: IconLifebuoy },
};

/** The second step of a sign-in: proving a factor, or enrolling the first. */
export function SecondStep({
  pending,
  onCodes,
}: {
  pending: SignInPending;
  onCodes: (codes: string[], me?: Me) => void;
}) {
  const forget = useForgetPending();
  const signedIn = useSignedIn();
  return (
    <div className={form.form}>
      <p className={form.text}>
        {pending.enrol ? (
          <>
            <strong>{pending.username}</strong>, you need a second factor here. Choose one to go on.
          </>
        ) : (
          <>
            Hello <strong>{pending.username}</strong>. One more step.
          </>
        )}
      </p>
      {pending.enrol ? (
        <Enrol
          enrolment={firstEnrolment}
          methods={pending.methods}
          onDone={(me) => me && signedIn(me)}
          onCodes={onCodes}
        />
      ) : (
        <Prove methods={pending.methods.filter((m) => m !== 'passkey' || hasPasskeys())} />
      )}
      <Button variant="subtle" size="xs" onClick={() => forget.mutate()}>
        Sign in as somebody else
      </Button>
    </div>
  );
}

function Prove({ methods }: { methods: FactorMethod[] }) {
  const [method, setMethod] = useState<FactorMethod | undefined>(methods[0]);
  const forget = useForgetPending();
  const passkey = usePasskeySignIn();
  const totp = useCodeSignIn('totp');
  const recovery = useCodeSignIn('recovery');
  if (!method) {
    return (
      <p className={form.text}>
        None of your second factors works at this address. Ask an administrator to remove them.
      </p>
    );
  }
  const codes = method === 'recovery' ? recovery : totp;
  const error = method === 'passkey' ? passkey.error : codes.error;
  if (error && toProblem(error).code === 'sign_in_over') {
    return (
      <>
        <ProblemNotice error={error} />
        <Button size="md" onClick={() => forget.mutate()}>
          Begin anew
        </Button>
      </>
    );
  }
  return (
    <>
      {method === 'passkey' ? (
        <>
          {passkey.error && <ProblemNotice error={passkey.error} />}
          <Button
            size="md"
            leftSection={<IconFingerprint size={18} />}
            loading={passkey.isPending}
            autoFocus
            onClick={() => passkey.mutate()}
          >
            Use your passkey
          </Button>
        </>
      ) : (
        <CodeForm
          key={method}
          kind={method}
          action="Sign in"
          busy={codes.isPending}
          error={codes.error}
          onCode={(code) => codes.mutate(code)}
        />
      )}
      {methods.length > 1 && <div className={form.or}>or</div>}
      <div className={form.ways}>
        {methods
          .filter((m) => m !== method)
          .map((m) => {
            const Icon = other[m].icon;
            return (
              <Button key={m} variant="default" leftSection={<Icon size={18} />} onClick={() => setMethod(m)}>
                {other[m].label}
              </Button>
            );
          })}
      </div>
    </>
  );
}
