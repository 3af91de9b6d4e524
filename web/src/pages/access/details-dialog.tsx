import { Button, Group, Modal, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconHourglass } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { accessRequestQuery } from '../../api/access';
import { ProblemNotice } from '../../components/states';
import classes from './access.module.css';
import { RequestDetails } from './details';

interface DetailsDialogProps {
  /** Of the request; null: closed. */
  id: string | null;
  onClose: () => void;
  /** Buttons beside the one that closes. */
  children?: ReactNode;
}

export function DetailsDialog({ id, onClose, children }: DetailsDialogProps) {
  return (
    <Modal opened={id !== null} onClose={onClose} title="Access request" size="lg">
      {id && <Details id={id} />}
      <Group justify="flex-end" mt="md" gap="sm">
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
        {children}
      </Group>
    </Modal>
  );
}

function Details({ id }: { id: string }) {
  const { data, error, isPending } = useQuery(accessRequestQuery(id));
  return (
    <>
      {isPending && <Skeleton height={200} />}
      {error && <ProblemNotice error={error} />}
      {data?.mine && data.state === 'pending' && (
        <p className={classes.waiting} role="status">
          <IconHourglass size={16} stroke={1.6} aria-hidden="true" />
          Those who may decide were told. You see here what they say as soon as they do.
        </p>
      )}
      {data && <RequestDetails request={data} />}
    </>
  );
}
