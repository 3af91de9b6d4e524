import { Button, PasswordInput, TextInput } from '@mantine/core';
import { IconBuilding, IconFingerprint } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { apiBase, type Me } from '../../api/client';
import { meQuery } from '../../api/queries';
import { signInQuery, usePasskeySignIn, usePasswordSignIn, useSignedIn } from '../../api/sign-in';
import { ColorSchemeMenu } from '../../components/color-scheme';
import { Logo } from '../../components/logo';
import { RecoveryCodes } from '../../components/second-factor/recovery-codes';
import form from '../../components/second-factor/second-factor.module.css';
import { ProblemNotice } from '../../components/states';
import { hasPasskeys } from '../../lib/passkeys';
import { useTitle } from '../../lib/use-title';
import { nextPath } from './next-path';
import { SecondStep } from './second-step';
import classes from './sign-in.module.css';

/** Why a provider sent somebody back without signing them in. */
const providerErrors: Record<string, string> = {
  sign_in_over: 'This sign-in took too long or was finished already. Begin anew.',
  provider_unreachable: 'The provider cannot be reached now. Try again later, or sign in another way.',
  provider_cancelled: 'The provider did not sign you in.',
  provider_not_allowed: 'You are none of those who may sign in from this provider.',
  provider_refused: 'What the provider says of you is not as it must be. Tell an administrator.',
  user_disabled: 'You may not sign in here.',
  name_taken: 'Somebody else has your name here. Ask an administrator.',
};

export function SignIn() {
  useTitle('Sign in');
  const [params] = useSearchParams();
  const { data: me } = useQuery(meQuery);
  const { data: offered } = useQuery(signInQuery);
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const signIn = usePasswordSignIn();
  const passkey = usePasskeySignIn();
  const signedIn = useSignedIn();
  // Who has just enrolled is signed in, and yet stays until the recovery codes are kept.
  const [fresh, setFresh] = useState<{ codes: string[]; me: Me | undefined }>();

  if (me && !fresh) return <Navigate to={nextPath(params.get('next'))} replace />;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    signIn.mutate({ username, password }, { onSettled: () => setPassword('') });
  }

  const failed = params.get('error');
  const next = encodeURIComponent(nextPath(params.get('next')));
  const providers = offered?.providers ?? [];
  const passkeys = (offered?.passkeys ?? false) && hasPasskeys();

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
            {fresh ? (
              <RecoveryCodes
                codes={fresh.codes}
                onDone={() => {
                  setFresh(undefined);
                  if (fresh.me) signedIn(fresh.me);
                }}
              />
            ) : offered?.pending ? (
              <SecondStep pending={offered.pending} onCodes={(codes, me) => setFresh({ codes, me })} />
            ) : (
              <>
                <form className={classes.form} onSubmit={submit}>
                  {failed && !signIn.error && !passkey.error && (
                    <div className={classes.failed} role="alert">
                      {providerErrors[failed] ?? `Signing in failed (${failed.slice(0, 40)}).`}
                    </div>
                  )}
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
                  {(signIn.error ?? passkey.error) && <ProblemNotice error={signIn.error ?? passkey.error} />}
                  <Button type="submit" size="md" mt={6} loading={signIn.isPending}>
                    Sign in
                  </Button>
                </form>
                {(passkeys || providers.length > 0) && (
                  <div className={classes.others}>
                    <div className={form.or}>or</div>
                    {passkeys && (
                      <Button
                        variant="default"
                        leftSection={<IconFingerprint size={18} />}
                        loading={passkey.isPending}
                        onClick={() => passkey.mutate()}
                      >
                        Sign in with a passkey
                      </Button>
                    )}
                    {providers.map(({ name, label }) => (
                      <Button
                        key={name}
                        component="a"
                        href={`${apiBase}/sign-in/oidc/${name}?next=${next}`}
                        variant="default"
                        leftSection={<IconBuilding size={18} />}
                      >
                        Sign in with {label}
                      </Button>
                    ))}
                  </div>
                )}
              </>
            )}
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
