import { Button, TextInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { ProblemNotice } from '../states';
import classes from './second-factor.module.css';

interface CodeFormProps {
  kind: 'totp' | 'recovery';
  action: string;
  busy: boolean;
  error: unknown;
  onCode: (code: string) => void;
}

/** Asks for a code of an authenticator app, which is sent when its six digits are there, or for a recovery code. */
export function CodeForm({ kind, action, busy, error, onCode }: CodeFormProps) {
  const [code, setCode] = useState('');
  const totp = kind === 'totp';

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    send(code);
  }

  function send(text: string) {
    if (busy || !text.trim()) return;
    onCode(text.trim());
    setCode('');
  }

  function change(text: string) {
    if (!totp) {
      setCode(text);
      return;
    }
    const digits = text.replace(/\D/g, '').slice(0, 6);
    if (digits.length === 6 && digits !== code) send(digits);
    else setCode(digits);
  }

  return (
    <form className={classes.form} onSubmit={submit}>
      <TextInput
        className={totp ? (classes.code ?? '') : ''}
        label={totp ? 'Code of your authenticator app' : 'Recovery code'}
        description={totp ? 'Six digits, new every half minute.' : 'Each works once.'}
        name="code"
        autoComplete="one-time-code"
        inputMode={totp ? 'numeric' : 'text'}
        spellCheck={false}
        autoCapitalize="none"
        autoFocus
        required
        withAsterisk={false}
        maxLength={totp ? 16 : 40}
        size="md"
        value={code}
        onChange={(event) => change(event.currentTarget.value)}
      />
      {error ? <ProblemNotice error={error} /> : null}
      <Button type="submit" size="md" loading={busy}>
        {action}
      </Button>
    </form>
  );
}
