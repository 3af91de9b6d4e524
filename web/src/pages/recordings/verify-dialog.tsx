import { Button, Group, Loader, Modal } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconShieldCheck, IconShieldX } from '@tabler/icons-react';
import { api, unwrap, type Recording, type Verification } from '../../api/client';
import { ProblemNotice } from '../../components/states';
import { bytes, count } from '../../lib/format';
import classes from './verify-dialog.module.css';

/** Has the gateway read the whole recording, and shows the outcome. Verifies once each time it is opened. */
export function VerifyDialog({ recording, onClose }: { recording: Recording; onClose: () => void }) {
  const session = recording.session.id;
  const { data, error, refetch, isFetching } = useQuery({
    queryKey: ['verify', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.POST('/recordings/{session}/verify', { params: { path: { session } }, signal })),
    gcTime: 0,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    retry: false,
  });
  return (
    <Modal opened onClose={onClose} title="Verify the recording">
      {isFetching ? (
        <div className={classes.outcome}>
          <Loader size="sm" />
          <div>Reading {bytes(recording.bytes)} and comparing every hash…</div>
        </div>
      ) : error ? (
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      ) : data ? (
        <Outcome verification={data} />
      ) : null}
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={onClose} data-autofocus>
          Close
        </Button>
      </Group>
    </Modal>
  );
}

function Outcome({ verification: v }: { verification: Verification }) {
  return v.ok ? (
    <div className={classes.outcome} role="status">
      <IconShieldCheck size={30} stroke={1.5} className={classes.good} />
      <div>
        <strong>Whole and unaltered</strong>
        <p>
          {count(v.files, 'file')}, {bytes(v.bytes)}: every SHA-256 hash equals the sealed manifest
          {v.sealed_by === 'recovery' ? ', which the gateway sealed after the worker ended unexpectedly' : ''}
          {v.signed_by ? (
            <>
              , and <code>{v.signed_by}</code> has signed that manifest
            </>
          ) : null}
          .
        </p>
      </div>
    </div>
  ) : (
    <div className={classes.outcome} role="alert">
      <IconShieldX size={30} stroke={1.5} className={classes.bad} />
      <div>
        <strong>Does not match the manifest</strong>
        <p>{v.problem ?? 'No detail was given.'}</p>
      </div>
    </div>
  );
}
