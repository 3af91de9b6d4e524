import { useMe } from '../../api/me';
import { useSignOut } from '../../api/queries';
import { DoorPage } from '../../components/door-page';
import { Anchor } from '@mantine/core';
import { useTitle } from '../../lib/use-title';
import { PasswordForm } from './password';

/** Stands before everything else while one's password must be changed. */
export function FirstPassword() {
  useTitle('Choose a password');
  const me = useMe();
  const signOut = useSignOut();
  return (
    <DoorPage
      title="Choose a password"
      sub={`The password of ${me.username} was set by somebody else. Choose one that only you know.`}
    >
      <PasswordForm action="Continue" autoFocus />
      <Anchor component="button" type="button" size="sm" mt="md" onClick={() => signOut.mutate()}>
        Sign out
      </Anchor>
    </DoorPage>
  );
}
