import { Button, Group, PasswordInput } from '@mantine/core';
import { useState, type SyntheticEvent } from 'react';
import { useChangePassword } from '../../api/users';
import { Panel } from '../../components/panel';
import classes from '../../components/panel.module.css';
import { ProblemNotice } from '../../components/states';

export function PasswordPanel() {
  return (
    <Panel title="Password" sub="A change ends every other sign-in and every API token of yours.">
      <PasswordForm action="Change password" />
    </Panel>
  );
}

/** Asks for the current password and, twice, for another. */
export function PasswordForm({ action, autoFocus = false }: { action: string; autoFocus?: boolean }) {
  const change = useChangePassword();
  const [current, setCurrent] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const differs = again !== '' && again !== fresh;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (again !== fresh) return;
    change.mutate(
      { current_password: current, new_password: fresh },
      {
        onSuccess: () => {
          setCurrent('');
          setFresh('');
          setAgain('');
        },
      },
    );
  }

  return (
    <form className={classes.form} onSubmit={submit}>
      <PasswordInput
        label="Current password"
        autoComplete="current-password"
        required
        withAsterisk={false}
        maxLength={1024}
        autoFocus={autoFocus}
        value={current}
        onChange={(event) => setCurrent(event.currentTarget.value)}
      />
      <PasswordInput
        label="New password"
        description="Long beats complicated: several words are good."
        autoComplete="new-password"
        required
        withAsterisk={false}
        maxLength={1024}
        value={fresh}
        onChange={(event) => setFresh(event.currentTarget.value)}
      />
      <PasswordInput
        label="New password again"
        autoComplete="new-password"
        required
        withAsterisk={false}
        maxLength={1024}
        value={again}
        onChange={(event) => setAgain(event.currentTarget.value)}
        error={differs ? 'The two are not the same.' : undefined}
      />
      {change.error && <ProblemNotice error={change.error} />}
      <Group gap="md">
        <Button type="submit" loading={change.isPending} disabled={!current || !fresh || again !== fresh}>
          {action}
        </Button>
        <span className={classes.saved} role="status">
          {change.isSuccess && !current ? 'Changed' : ''}
        </span>
      </Group>
    </form>
  );
}
