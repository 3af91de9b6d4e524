import { useMe } from '../../api/me';
import { PageHead } from '../../components/page';
import { useTitle } from '../../lib/use-title';
import { PasswordPanel } from './password';
import { ProfilePanel } from './profile';
import { SecondFactorsPanel } from './second-factors';
import { SignInsPanel } from './sign-ins';
import { TokensPanel } from './tokens';

/** One's own account: who one is, how one signs in, where one is signed in, what acts in one's name. */
export function AccountPage() {
  useTitle('My account');
  const me = useMe();
  return (
    <>
      <PageHead title="My account" sub="Who you are, how you sign in, and what acts in your name." />
      <ProfilePanel />
      {(!me.source || me.source === 'local') && <PasswordPanel />}
      <SecondFactorsPanel />
      <SignInsPanel />
      <TokensPanel />
    </>
  );
}
