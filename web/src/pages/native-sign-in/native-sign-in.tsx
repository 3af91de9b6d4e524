import { Button, Group, TextInput } from '@mantine/core';
import { IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useState, type SubmitEvent } from 'react';
import { useDecideNativeSignIn, useLookAtNativeSignIn } from '../../api/native';
import { useMe } from '../../api/me';
import { PageHead } from '../../components/page';
import panel from '../../components/panel.module.css';
import { Panel } from '../../components/panel';
import { Empty, ProblemNotice } from '../../components/states';
import { useTitle } from '../../lib/use-title';

/** Lets an RDP client in that shows a code, once one has seen where it is. */
export function NativeSignInPage() {
  useTitle('Approve a sign-in');
  const me = useMe();
  const look = useLookAtNativeSignIn();
  const decide = useDecideNativeSignIn();
  const [code, setCode] = useState('');
  const plain = code.replace(/[^0-9a-z]/gi, '').toUpperCase();

  function submit(event: SubmitEvent) {
    event.preventDefault();
    look.mutate(plain);
  }
  function again() {
    setCode('');
    look.reset();
    decide.reset();
  }

  return (
    <>
      <PageHead
        title="Approve a sign-in"
        sub="For an RDP client of yours that shows a code instead of asking for your password."
      />
      {decide.isSuccess ? (
        <Empty
          icon={
            decide.variables.approve ? (
              <IconCircleCheck size={38} stroke={1.3} />
            ) : (
              <IconCircleX size={38} stroke={1.3} />
            )
          }
          title={decide.variables.approve ? 'Your client goes on' : 'It was sent away'}
        >
          {decide.variables.approve
            ? 'Go back to its window: it shows your desktops.'
            : 'If somebody gave you that code, tell your administrators.'}
          <br />
          <Button variant="default" mt="md" onClick={again}>
            Another code
          </Button>
        </Empty>
      ) : look.data ? (
        <Panel title="Is this you?" sub="Whoever sits there will open desktops in your name.">
          <dl className={panel.facts}>
            <dt>Computer</dt>
            <dd>
              {look.data.client ? `“${look.data.client}”, as it calls itself` : 'It did not say its name'}
            </dd>
            <dt>Address</dt>
            <dd className="mono">{look.data.client_address}</dd>
            {look.data.user && (
              <>
                <dt>User name typed there</dt>
                <dd>{look.data.user}</dd>
              </>
            )}
            {look.data.target && (
              <>
                <dt>Desktop</dt>
                <dd>{look.data.target}</dd>
              </>
            )}
            <dt>Signs in as</dt>
            <dd>
              <b>{me.username}</b>
            </dd>
          </dl>
          {decide.error && <ProblemNotice error={decide.error} />}
          <p>
            Approve only if you opened that client yourself, just now, and read the code from its window.
            Nobody who helps you needs a code of yours, and nobody should give you one of theirs.
          </p>
          <Group gap="sm">
            <Button
              loading={decide.isPending && decide.variables.approve}
              onClick={() => decide.mutate({ code: plain, approve: true })}
            >
              Yes, let it in
            </Button>
            <Button
              variant="default"
              loading={decide.isPending && !decide.variables.approve}
              onClick={() => decide.mutate({ code: plain, approve: false })}
            >
              No, send it away
            </Button>
            <Button variant="subtle" color="gray" onClick={again}>
              Back
            </Button>
          </Group>
        </Panel>
      ) : (
        <Panel title="The code in its window">
          <form onSubmit={submit} className={panel.form}>
            <TextInput
              label="Code"
              description="Eight letters and digits, such as BDFK-2479."
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
              maxLength={12}
              autoComplete="off"
              autoCapitalize="characters"
              spellCheck={false}
              styles={{
                input: { fontFamily: 'var(--mantine-font-family-monospace)', letterSpacing: '0.08em' },
              }}
              required
              autoFocus
            />
            {look.error && <ProblemNotice error={look.error} />}
            <Group>
              <Button type="submit" disabled={plain.length !== 8} loading={look.isPending}>
                Go on
              </Button>
            </Group>
          </form>
        </Panel>
      )}
    </>
  );
}
