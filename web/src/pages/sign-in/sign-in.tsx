import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { api, unwrap } from '../../api/client';
import { keys, meQuery } from '../../api/queries';
import { ColorSchemeMenu } from '../../components/color-scheme';
import { Logo } from '../../components/logo';
import { ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';
import { nextPath } from './next-path';
import classes from './sign-in.module.css';

export function SignIn() {
  useTitle('Sign in');
  const [params] = useSearchParams();
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: async () => unwrap(await api.POST('/sign-in', { body: { username, password } })),
    onSuccess: (user) => {
      client.clear();
      client.setQueryData(keys.me, user);
    },
    onError: () => setPassword(''),
  });

  if (me) return <Navigate to={nextPath(params.get('next'))} replace />;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    signIn.mutate();
  }

  return (
    <div className={classes.page}>
      <div className={classes.top}>
        <ColorSchemeMenu />
      </div>
      <main className={classes.middle}>
        <div className={classes.case}>
          <div className={classes.panel}>
            <div className={classes.brand}>
              <Logo size={34} />
              <h1>Vitrine</h1>
            </div>
            <form className={classes.form} onSubmit={submit}>
              <TextInput
                label="User name"
                name="username"
                autoComplete="username"
                autoFocus
                required
                withAsterisk={false}
                maxLength={128}
                size="md"
                value={username}
                onChange={(event) => setUsername(event.currentTarget.value)}
              />
              <PasswordInput
                label="Password"
                visibilityToggleButtonProps={{ 'aria-label': 'Show the characters', tabIndex: 0 }}
                name="password"
                autoComplete="current-password"
                required
                withAsterisk={false}
                maxLength={1024}
                size="md"
                value={password}
                onChange={(event) => setPassword(event.currentTarget.value)}
              />
              {signIn.error && <ProblemNotice error={signIn.error} />}
              <Button type="submit" size="md" mt={6} loading={signIn.isPending}>
                Sign in
              </Button>
            </form>
          </div>
          <div className={classes.plinth} />
        </div>
      </main>
      <footer className={classes.foot}>
        Sessions are recorded. Use is subject to your organisation’s policy.
      </footer>
    </div>
  );
}
