import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode, type SyntheticEvent } from 'react';
import { Navigate } from 'react-router';
import { meQuery } from '../../api/queries';
import { setupQuery, useSetUp } from '../../api/users';
import { DoorPage } from '../../components/door-page';
import { PageLoading, ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import classes from '../sign-in/sign-in.module.css';

/** Leads to the set-up page as long as there is no user; shows its children otherwise. */
export function WhenSetUp({ children }: { children: ReactNode }) {
  const { data } = useQuery(setupQuery);
  return data?.needed ? <Navigate to="/setup" replace /> : children;
}

/** The first page anybody sees of a new gateway: it makes the first administrator. */
export function SetupPage() {
  useTitle('Set-up');
  const { data: me } = useQuery(meQuery);
  const { data: state, error, refetch } = useQuery(setupQuery);
  const setUp = useSetUp();
  const [code, setCode] = useState('');
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');

  if (me) return <Navigate to="/" replace />;
  if (state && !state.needed) return <Navigate to="/sign-in" replace />;
  if (error) {
    return (
      <DoorPage title="Vitrine">
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      </DoorPage>
    );
  }
  if (!state) return <PageLoading />;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (again === password) setUp.mutate({ code, username, password });
  }

  return (
    <DoorPage title="Set up Vitrine" sub="This gateway has no users yet. Make the first administrator.">
      <form className={classes.form} onSubmit={submit}>
        <TextInput
          label="Set-up code"
          description="The gateway printed it when it started."
          name="code"
          autoComplete="off"
          spellCheck={false}
          autoFocus
          required
          withAsterisk={false}
          maxLength={64}
          classNames={{ input: 'mono' }}
          placeholder="xxxxx-xxxxx-xxxxx-xxxxx"
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <TextInput
          label="User name"
          name="username"
          autoComplete="username"
          required
          withAsterisk={false}
          maxLength={128}
          value={username}
          onChange={(event) => setUsername(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          description="Long beats complicated: several words are good."
          name="password"
          autoComplete="new-password"
          required
          withAsterisk={false}
          maxLength={1024}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password again"
          name="again"
          autoComplete="new-password"
          required
          withAsterisk={false}
          maxLength={1024}
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          error={again !== '' && again !== password ? 'The two are not the same.' : undefined}
        />
        {setUp.error && <ProblemNotice error={setUp.error} />}
        <Button type="submit" size="md" mt={6} loading={setUp.isPending} disabled={again !== password}>
          Make administrator
        </Button>
      </form>
    </DoorPage>
  );
}
